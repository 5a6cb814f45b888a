"""Paints masks on bare faces: over the nose, under it, or on the chin; of many cuts, colours and patterns.

Positions are shares of the face box: x from 0 (left ear) to 1 (right ear), y from 0 (hairline) to 1 (chin).
In most upright faces, boxed by people or by :func:`~maskcheck_export.data.portraits.find_face`, the eyes are at
0.33 to 0.43, the tip of the nose at 0.50 to 0.62, the nostrils above 0.68, and the mouth at 0.68 to 0.82.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

Way: TypeAlias = Literal["worn", "nose_out", "chin"]
"""How a mask is worn: over mouth and nose; over the mouth alone; on the chin."""

Plane: TypeAlias = NDArray[np.float32]
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class _Place:
    """Where a mask hangs: the middle of its upper edge, how far its corners are above that, and its lowest point."""

    top: Range
    corners: Range
    bottom: Range
    width: Range


_PLACES: dict[Way, _Place] = {
    "worn": _Place(top=(0.41, 0.49), corners=(-0.13, -0.03), bottom=(0.97, 1.12), width=(1.00, 1.12)),
    "nose_out": _Place(top=(0.71, 0.76), corners=(-0.01, 0.12), bottom=(1.00, 1.20), width=(0.90, 1.03)),
    "chin": _Place(top=(0.88, 0.95), corners=(-0.01, 0.12), bottom=(1.10, 1.32), width=(0.72, 0.95)),
}


@dataclass(frozen=True)
class _Cut:
    """A kind of mask.

    Attributes:
        often: How often it is drawn, relative to other cuts.
        half_width: Half of its width.
        peak: Power of the upper edge: below 1 it is level, above 1 it has a peak over the nose.
        round: Power of the lower edge: 0.3 for a rectangle, 1 for an ellipse, more for a wedge.
        pleats: Horizontal folds.
        fold: Depth of the shade on one side of a fold or seam in the middle.
        valve: Probability of an exhalation valve.
    """

    often: float
    half_width: Range
    peak: Range
    round: Range
    pleats: tuple[int, ...] = (0,)
    fold: Range = (0.0, 0.0)
    valve: float = 0.0


_CUTS = (
    _Cut(often=9, half_width=(0.39, 0.47), peak=(0.4, 1.2), round=(0.5, 0.85), pleats=(2, 3, 4)),  # surgical
    _Cut(often=6, half_width=(0.45, 0.52), peak=(0.8, 2.2), round=(0.6, 1.0), fold=(0.0, 0.2)),  # sewn cloth
    _Cut(often=3, half_width=(0.40, 0.48), peak=(1.2, 2.6), round=(0.8, 1.2), fold=(0.08, 0.25), valve=0.25),  # KN95
    _Cut(often=2, half_width=(0.38, 0.46), peak=(0.8, 1.6), round=(0.7, 1.0), valve=0.25),  # moulded cup
    _Cut(often=1, half_width=(0.40, 0.48), peak=(0.4, 1.0), round=(0.6, 0.9), pleats=(1,)),  # duckbill
)

_COLOURS = {  # BGR: how often it is drawn
    (228, 205, 150): 5,  # surgical blue
    (240, 240, 240): 6,
    (30, 28, 28): 6,
    (125, 122, 120): 2,
    (80, 48, 30): 2,  # navy
    (50, 45, 170): 1,  # red
    (200, 175, 235): 1,  # pink
    (150, 185, 110): 1,  # surgical green
    (165, 190, 212): 0.7,  # beige, near to skin
}
_RANDOM_COLOUR = 0.12
_PATTERNED = 0.28
_LOOPS = 0.5

_SEEN = 0.1  # least height of a mask in the picture that shows the label, as a share of the face
_OVERSAMPLING = 4  # small masks are drawn this much larger and shrunk, for smooth edges
_DETAIL = 96  # most pixels of the height of a face when drawn: the input of a classifier shows no more
_MIDDLE = np.array([0.5, 0.78])  # the mouth: the mask is turned about it
_MOST_TURNED = 7.0  # degrees
_MID_SKIN = 140.0  # grey value of skin in ordinary light


def paint_mask(pixels: BGRImage, face: NDArray[np.floating], way: Way, rng: Generator) -> BGRImage:
    """Paint a mask on a bare face.

    Args:
        pixels: uint8 (H, W, 3), BGR; not changed.
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear; may reach out of the picture.
        way: How the mask is worn: ``worn`` covers nose and mouth, ``nose_out`` leaves the nose free, ``chin`` leaves
            nose and mouth free.
        rng: Source of all randomness.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    painted = pixels.copy()
    corner = np.asarray(face[:2], np.float64)
    sides = np.maximum(np.asarray(face[2:], np.float64) - corner, 1.0)
    # A mask hangs under the chin, and its loops reach the ears.
    left, top = np.floor(np.maximum(corner + sides * [-0.15, 0.3], 0)).astype(int)
    right, bottom = np.ceil(np.maximum(corner + sides * [1.15, 1.45], 0)).astype(int)
    below = painted[top:bottom, left:right]
    if not below.size:
        return painted
    scale = min(_OVERSAMPLING, _DETAIL / sides[1])
    rows, columns = (max(round(side * scale), 1) for side in below.shape[:2])
    zoom = np.array([columns / below.shape[1], rows / below.shape[0]])
    angle = np.radians(rng.uniform(-_MOST_TURNED, _MOST_TURNED))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = zoom[:, None] * turn * sides
    offset = zoom * (corner - [left, top] + sides * _MIDDLE) - linear @ _MIDDLE
    drawing = _draw(np.column_stack([linear, offset]), (rows, columns), way, rng)
    drawing[..., :3] *= _light(below, pixels, corner, sides, (rows, columns), rng)[..., None]
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    mask = cv2.resize(np.rint(np.clip(drawing, 0, 255)).astype(np.uint8), below.shape[1::-1], interpolation=method)
    through = cv2.cvtColor(mask[..., 3], cv2.COLOR_GRAY2BGR)
    below[:] = cv2.add(cv2.multiply(below, through, scale=1 / 255), mask[..., :3])
    return painted


def in_view(way: Way, face: NDArray[np.floating], height: int) -> bool:
    """Whether the picture would show a mask that is worn in this way: many faces are cropped at the chin.

    Args:
        way: How the mask is worn.
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear.
        height: Of the picture, in pixels.
    """
    y1, y2 = float(face[1]), float(face[3])
    return y1 + (_PLACES[way].top[1] + _SEEN) * (y2 - y1) <= height


def _draw(matrix: NDArray[np.float64], shape: tuple[int, int], way: Way, rng: Generator) -> Plane:
    """Draw a mask in even light.

    Args:
        matrix: (2, 3), from shares of the face box to pixels of the drawing.
        shape: Rows and columns of the drawing.
        way: How the mask is worn.
        rng: Source of all randomness.

    Returns:
        float32 (*shape, 4), 0..255: BGR times the cover of the mask; and how much of the picture shows through.
    """
    often = np.array([cut.often for cut in _CUTS])
    cut = _CUTS[rng.choice(len(_CUTS), p=often / often.sum())]
    upper, lower = _edges(cut, _PLACES[way], rng)
    unit = float(np.hypot(*matrix[:, 0]))  # width of the face in the drawing
    cover = np.zeros(shape, np.float32)
    cv2.fillPoly(cover, [_fixed(matrix, np.concatenate([upper, lower]))], 1.0, cv2.LINE_8, _SHIFT)
    x, y = _grid(matrix, shape)
    colour = _colour(rng)
    cloth = np.full((*shape, 3), colour, np.float32)
    if rng.random() < _PATTERNED:
        other = rng.uniform(0, 255, 3) if rng.random() < 0.6 else rng.choice([20.0, 240.0])
        cloth[_pattern(x, y, unit, rng)] = other
    cloth *= _relief(cut, upper, lower, x, y, rng)[..., None]
    if rng.random() < cut.valve:
        valve = np.array([[0.5 + rng.uniform(-0.2, 0.2), 0.35 * upper[:, 1].min() + 0.65 * lower[:, 1].max()]])
        centre, radius = _fixed(matrix, valve)[0].tolist(), round(0.07 * unit * _ONE)
        cv2.circle(cloth, centre, radius, [rng.uniform(40, 235)] * 3, -1, cv2.LINE_8, _SHIFT)
    if rng.random() < _LOOPS:
        _draw_loops(cover, cloth, colour, matrix, upper, lower, max(round(rng.uniform(0.006, 0.018) * unit), 1), rng)
    cv2.GaussianBlur(cover, (0, 0), unit * rng.uniform(0.007, 0.02), cover)  # no edge may be sharper than the picture
    # The shadow of the mask is a little below it.
    shadow = cv2.GaussianBlur(np.roll(cover, round(0.02 * unit), axis=0), (0, 0), 0.04 * unit)
    through = 255 * (1 - cover) * (1 - np.float32(rng.uniform(0.1, 0.45)) * shadow)
    return np.dstack([cloth * cover[..., None], through])


def _edges(cut: _Cut, place: _Place, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The upper edge from left to right, and the lower edge from right to left: points in shares of the face box."""
    top, bottom = rng.uniform(*place.top), rng.uniform(*place.bottom)
    half = rng.uniform(*cut.half_width) * rng.uniform(*place.width)
    middle = 0.5 + rng.uniform(-0.03, 0.03)
    across = np.linspace(-1, 1, 17)
    raised = rng.uniform(*place.corners)
    # If worn, the edge has its peak over the nose; else it hangs between the ears and is level below the nostrils.
    hang = 1 - np.cos(across * np.pi / 2) ** rng.uniform(*cut.peak) if raised < 0 else np.abs(across) ** 2.5
    upper = np.column_stack([middle + half * across, top - raised * hang])
    corner = upper[0, 1]
    side = corner + (bottom - corner) * rng.uniform(0.15, 0.5)
    cosine, sine = np.cos(np.linspace(0, np.pi, 25)), np.abs(np.sin(np.linspace(0, np.pi, 25)))
    power = rng.uniform(*cut.round)  # a superellipse
    lower = np.column_stack(
        [middle + half * np.sign(cosine) * np.abs(cosine) ** power, side + (bottom - side) * sine**power]
    )
    return upper, lower


def _colour(rng: Generator) -> NDArray[np.float64]:
    if rng.random() < _RANDOM_COLOUR:
        return rng.uniform(10, 245, 3)
    often = np.array(list(_COLOURS.values()))
    colour = np.array(list(_COLOURS)[rng.choice(len(often), p=often / often.sum())])
    return np.clip(colour * rng.uniform(0.85, 1.1) * rng.uniform(0.93, 1.07, 3) + rng.uniform(-4, 10), 8, 250)


def _pattern(x: Plane, y: Plane, unit: float, rng: Generator) -> NDArray[np.bool_]:
    """Dots, stripes, checks or flowers: where the second colour is."""
    period = rng.uniform(0.06, 0.2)
    angle = rng.uniform(0, np.pi)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period
    v = (y * np.cos(angle) - x * np.sin(angle)) / period
    kind = rng.integers(5)
    if kind <= 1:
        return np.asarray((u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < rng.uniform(0.04, 0.14))
    if kind == 2:
        return np.asarray(u % 1 < rng.uniform(0.2, 0.6))
    if kind == 3:
        return np.asarray((u % 1 < 0.5) ^ (v % 1 < 0.5))
    return np.asarray(_noise(x.shape, 2 / period / unit, rng) > rng.uniform(0.0, 0.8))


def _relief(
    cut: _Cut, upper: NDArray[np.float64], lower: NDArray[np.float64], x: Plane, y: Plane, rng: Generator
) -> Plane:
    """Light and shade of the form of a mask, 1 where it faces the light."""
    middle = float(upper[:, 0].mean())
    half = float(np.ptp(upper[:, 0])) / 2
    top, bottom = float(upper[len(upper) // 2, 1]), float(lower[:, 1].max())
    sideways = (x - middle) / np.float32(half)
    # Cheeks and chin turn away from the light.
    relief = 1 - np.float32(rng.uniform(0.05, 0.3)) * sideways**2
    relief -= np.float32(rng.uniform(0.0, 0.25)) * np.clip((y - top) / np.float32(bottom - top), 0, 1) ** 2
    relief += np.float32(0.05) * _noise(x.shape, 6 / max(x.shape), rng)  # creases
    pleats = rng.choice(cut.pleats)
    if pleats:
        sag = y - np.float32(rng.uniform(0.0, 0.1)) * (1 - sideways**2)  # the chin pulls the pleats down
        phase = (sag - np.float32(top)) * np.float32((pleats + 0.6) / (bottom - top))
        relief -= np.float32(rng.uniform(0.06, 0.22)) * (phase % 1) ** 4
    depth = rng.uniform(*cut.fold)
    if depth:
        relief -= np.float32(depth) * (sideways * rng.choice([-1, 1]) > rng.uniform(-0.1, 0.1))
    return np.asarray(np.clip(relief, 0.3, 1.1), np.float32)


def _draw_loops(
    cover: Plane,
    cloth: Plane,
    colour: NDArray[np.float64],
    matrix: NDArray[np.float64],
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    thickness: int,
    rng: Generator,
) -> None:
    """Straps from the corners to behind the ears: white, black or like the cloth."""
    strap = (colour, np.full(3, 235.0), np.full(3, 30.0))[rng.choice(3, p=(0.4, 0.4, 0.2))]
    lines = np.zeros_like(cover)
    low = lower[[-6, 5]]  # a little below the corners, left and right
    for side, (high, low_end) in enumerate(zip(upper[[0, -1]], low, strict=True)):
        ear = np.array([0.5 + (0.58 if side else -0.58), rng.uniform(0.38, 0.5)])
        for start, end in ((high, ear), (low_end, ear + np.array([0.0, 0.08]))):
            first, second = _fixed(matrix, np.stack([start, end]))
            cv2.line(lines, first.tolist(), second.tolist(), 0.85, thickness, cv2.LINE_8, _SHIFT)
    lines *= 1 - cover
    share = (lines / np.maximum(cover + lines, 1e-6))[..., None]
    cloth += (strap.astype(np.float32) - cloth) * share
    cover += lines


def _light(
    below: NDArray[np.uint8],
    pixels: BGRImage,
    corner: NDArray[np.float64],
    sides: NDArray[np.float64],
    shape: tuple[int, int],
    rng: Generator,
) -> Plane:
    """The light on the face: float32 of `shape`, about 1 in ordinary light."""
    left, top = np.maximum(corner + sides * [0.2, 0.35], 0).astype(int)
    right, bottom = np.maximum(corner + sides * [0.8, 0.7], 0).astype(int) + 1
    cheeks = pixels[top:bottom, left:right]
    mean = float(cheeks.mean()) if cheeks.size else _MID_SKIN
    exposure = np.clip(0.55 + 0.5 * mean / _MID_SKIN, 0.4, 1.2) * rng.uniform(0.85, 1.1)
    coarse = cv2.resize(below, (6, 5), interpolation=cv2.INTER_AREA).mean(axis=2, dtype=np.float32)
    relative = np.clip(coarse / max(mean, 1.0), 0.5, 1.3) ** np.float32(0.5)  # hair and background count half
    return np.asarray(exposure * cv2.resize(relative, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _noise(shape: tuple[int, ...], density: float, rng: Generator) -> Plane:
    """Smooth noise of unit variance; `density` is the number of bumps in a pixel."""
    coarse = rng.standard_normal([max(round(side * density), 2) for side in shape], np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _grid(matrix: NDArray[np.float64], shape: tuple[int, int]) -> tuple[Plane, Plane]:
    """X and y of each pixel of the drawing, in shares of the face box."""
    inverse = cv2.invertAffineTransform(matrix).astype(np.float32)
    columns = np.arange(shape[1], dtype=np.float32)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    x, y = (row[0] * columns + row[1] * rows + row[2] for row in inverse)
    return x, y


_SHIFT = 4
_ONE = 1 << _SHIFT


def _fixed(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in pixels of the drawing, in the fixed-point form of OpenCV with `_SHIFT` bits."""
    return np.round((points @ matrix[:, :2].T + matrix[:, 2]) * _ONE).astype(np.int32)
