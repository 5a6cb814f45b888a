"""People for test videos: the portraits of this folder, bare and masked, cut out with a soft edge, at any size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil, log
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from video_scenes import MaskName, PortraitName

Pixels = NDArray[np.uint8]

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 512, 640  # of every portrait, in pixels
FADE = 60  # pixels at its lower edge where it passes into the body
BODY = 640  # pixels of the portrait that are added below, so that a body reaches the ground
CLOTHES = 420  # where they begin, in pixels from the top of the portrait
STEP = 1.15  # between two of the sizes that a portrait is kept in


@dataclass(frozen=True)
class Outline:
    """Where the face and the person are in a portrait, placed by hand, in its pixels."""

    face: tuple[int, int, int, int]  # x1 y1 x2 y2: from the brows' upper end to the chin, from ear to ear
    person: tuple[tuple[int, int], ...]  # clockwise from the left shoulder


OUTLINES: dict[PortraitName, Outline] = {
    "astronaut": Outline(
        (150, 153, 346, 370),
        (
            *((8, 640), (8, 430), (33, 402), (33, 376), (55, 361), (74, 324), (133, 299), (173, 297), (173, 268)),
            *((158, 258), (142, 235), (122, 205), (114, 170), (115, 130), (135, 100), (165, 85), (185, 70), (205, 45)),
            *((240, 33), (285, 33), (330, 48), (365, 75), (385, 105), (400, 140), (407, 180), (400, 215), (385, 240)),
            *((360, 262), (340, 272), (324, 305), (318, 350), (354, 383), (391, 428), (409, 465), (457, 487)),
            *((485, 520), (503, 575), (504, 640)),
        ),
    ),
    "grace_hopper": Outline(
        (160, 167, 350, 374),
        (
            *((8, 640), (8, 437), (33, 407), (100, 385), (151, 365), (184, 341), (179, 317), (153, 284), (146, 221)),
            *((138, 199), (131, 170), (132, 118), (155, 93), (163, 66), (188, 44), (214, 31), (251, 25), (284, 31)),
            *((321, 48), (347, 81), (360, 96), (368, 122), (368, 177), (368, 214), (357, 251), (356, 295), (343, 322)),
            *((324, 333), (328, 345), (358, 363), (417, 389), (476, 408), (496, 428), (504, 472), (504, 640)),
        ),
    ),
}


@dataclass(frozen=True)
class Look:
    """How a person looks: every look is cut out once."""

    portrait: PortraitName
    mask: MaskName | None
    mirrored: bool
    hue: int


def face_box(look: Look) -> tuple[float, float, float, float]:
    """The face in the picture of :func:`cutout`: x1 y1 x2 y2 in its pixels."""
    x1, y1, x2, y2 = OUTLINES[look.portrait].face
    return (WIDTH - x2, y1, WIDTH - x1, y2) if look.mirrored else (x1, y1, x2, y2)


@cache
def cutout(look: Look) -> Pixels:
    """The person at the size of the portrait: uint8 BGRA, the colours multiplied with alpha."""
    name = look.portrait if look.mask is None else f"{look.portrait}_{look.mask}_mask"
    picture = cv2.imread(str(FOLDER / f"{name}.jpg"))
    if picture is None:
        raise FileNotFoundError(f"{FOLDER / name}.jpg is missing; python examples/make_pictures.py makes it")
    if look.hue:
        picture[CLOTHES:] = _dyed(np.asarray(picture[CLOTHES:], np.uint8), look.hue)
    alpha = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.array(OUTLINES[look.portrait].person, np.int32)], (255,), cv2.LINE_AA)
    alpha = np.asarray(cv2.GaussianBlur(cv2.erode(alpha, np.ones((5, 5), np.uint8)), (0, 0), 2.5), np.uint8)

    # The body below the portrait: its colours without buttons and folds, darker near the ground.
    row = np.median(picture[-40:], axis=0, keepdims=True).astype(np.float32)
    plain = cv2.GaussianBlur(row, (0, 0), 45, borderType=cv2.BORDER_REPLICATE)[:1]
    body = np.concatenate([picture, np.asarray(plain * np.linspace(1, 0.6, BODY)[:, None, None], np.uint8)])
    seam = np.linspace(0, 1, FADE)[:, None, None]
    body[HEIGHT - FADE : HEIGHT] = body[HEIGHT - FADE : HEIGHT] * (1 - seam) + plain * seam
    alpha[-8:] = alpha[-9]  # the blur above made the lower edge soft
    alphas = np.concatenate([alpha, np.repeat(alpha[-1:], BODY, axis=0)])
    colours = np.asarray(body.astype(np.uint16) * alphas[..., None] // 255, np.uint8)
    person = np.dstack([colours, alphas])
    return np.ascontiguousarray(person[:, ::-1] if look.mirrored else person)


def _dyed(clothes: Pixels, hue: int) -> Pixels:
    """Turn the hue of what has a colour; white and black stay."""
    colours = cv2.cvtColor(clothes, cv2.COLOR_BGR2HSV)
    colours[..., 0] = np.where(colours[..., 1] > 110, (colours[..., 0].astype(int) + hue) % 180, colours[..., 0])
    colours[..., 1] = colours[..., 1] * 0.6  # cloth is rarely as bright as an astronaut's
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2BGR), np.uint8)


@lru_cache(maxsize=512)
def _reduced(look: Look, steps: int) -> Pixels:
    """The cut-out, `steps` times smaller by STEP: shrinking from there loses no detail and shows no jags."""
    person = cutout(look)
    scale = STEP**-steps
    size = max(1, round(person.shape[1] * scale)), max(1, round(person.shape[0] * scale))
    return np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_AREA), np.uint8)


def draw_person(
    look: Look, centre: tuple[float, float], height: float, frame: tuple[int, int]
) -> tuple[Pixels, int, int]:
    """The part of a person that lies in the frame.

    Args:
        look: Who it is.
        centre: Of the face, in pixels of the frame.
        height: Of the face, in pixels.
        frame: Width and height, in pixels.

    Returns:
        BGRA as in :func:`cutout`, perhaps empty, and where its left upper corner lies: x, y.
    """
    x1, y1, x2, y2 = face_box(look)
    scale = height / (y2 - y1)
    steps = max(0, ceil(-log(scale, STEP)) - 1) if scale < 1 else 0
    person = _reduced(look, steps)
    full = cutout(look)
    scale_x, scale_y = scale * full.shape[1] / person.shape[1], scale * full.shape[0] / person.shape[0]
    left, top = centre[0] - (x1 + x2) / 2 * scale, centre[1] - (y1 + y2) / 2 * scale
    start_x, start_y = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    end_x = min(frame[0], int(np.ceil(left + full.shape[1] * scale)))
    end_y = min(frame[1], int(np.ceil(top + full.shape[0] * scale)))
    if end_x <= start_x or end_y <= start_y:
        return np.zeros((0, 0, 4), np.uint8), 0, 0
    # Pixels are squares: their centres lie at halves.
    move = np.array(
        [
            [scale_x, 0, left - start_x + scale_x / 2 - 0.5],
            [0, scale_y, top - start_y + scale_y / 2 - 0.5],
        ]
    )
    return np.asarray(cv2.warpAffine(person, move, (end_x - start_x, end_y - start_y)), np.uint8), start_x, start_y
