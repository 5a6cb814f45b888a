"""Make the sample pictures in this folder: two portraits, copies with painted masks, and a group picture.

Sources, both in the public domain: Rear Admiral Grace Hopper (US Navy photograph, shipped with matplotlib as
`grace_hopper.jpg`) and the astronaut Eileen Collins (NASA photograph, shipped with scikit-image as
`skimage.data.astronaut`). This script draws the masks, so its pictures are free to use too.

    pip install matplotlib scikit-image
    python examples/make_pictures.py
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib import cbook
from numpy.typing import NDArray
from PIL import Image
from skimage import data

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Points = tuple[tuple[float, float], ...]

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 512, 640  # of every portrait
OVERSAMPLING = 2  # masks are painted at this scale, then shrunk, which smooths their edges
OVERSAMPLED = (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING)
CLOTH_WIDTH, CLOTH_HEIGHT = 960, 600  # of a mask lying flat
GROUP_HEIGHT, GROUP_GAP, GROUP_MARGIN = 440, 24, 32  # of the portraits in the group picture

# Where the cloth is pinned to the face, as (across, down) on the flat cloth. `Face.pins` follows this order.
CLOTH_PINS: Points = (
    *((0, 0), (0.22, 0), (0.38, 0), (0.5, 0), (0.62, 0), (0.78, 0), (1, 0)),  # upper edge, over the nose
    *((0, 0.5), (1, 0.5)),  # side edges, beside the mouth
    *((0, 1), (0.12, 1), (0.28, 1), (0.5, 1), (0.72, 1), (0.88, 1), (1, 1)),  # lower edge, under the chin
)


@dataclass(frozen=True)
class Face:
    """A source picture and its landmarks, placed by hand, in pixels of the source."""

    source: Pixels
    corner: tuple[int, int]  # left and top of the part that becomes the portrait
    height: int  # of that part
    pins: Points  # where the points of CLOTH_PINS lie on this face
    loops: tuple[Points, ...]  # the visible pieces of the ear loops: start, bend, end


@dataclass(frozen=True)
class Cloth:
    """The material of a mask."""

    colour: tuple[int, int, int]
    loop_colour: tuple[int, int, int]
    dots: tuple[int, int, int] | None = None  # the colour of a dotted pattern


WHITE = Cloth((236, 238, 240), (240, 240, 240))
BLACK = Cloth((50, 51, 56), (44, 44, 48))
BLUE = Cloth((108, 142, 168), (226, 230, 234))
PATTERNED = Cloth((182, 92, 92), (222, 214, 206), dots=(236, 228, 216))


def load_faces() -> tuple[Face, Face]:
    """Load the two source pictures with their landmarks."""
    # Both libraries contain the picture, so nothing is downloaded.
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as picture:
        hopper = np.asarray(picture.convert("RGB"))
    collins: Pixels = np.asarray(data.astronaut(), np.uint8)
    return (
        Face(
            source=collins,
            corner=(97, 0),
            height=320,
            pins=(
                *((182, 122), (199, 118), (213, 114), (223, 109), (233, 115), (248, 120), (268, 127)),
                *((183, 139), (267, 144)),
                *((184.5, 157.5), (193, 167), (207, 177.5), (224, 181), (242, 179), (256.5, 169.5), (266, 161)),
            ),
            loops=(
                ((187, 126), (182, 121), (180, 113)),
                ((190, 156), (182, 143), (178, 131)),
                ((264, 131), (268.5, 126), (270.5, 118)),
                ((260, 158), (267, 147), (271, 136)),
            ),
        ),
        Face(
            source=hopper,
            corner=(26, 0),
            height=600,
            pins=(
                *((188, 240), (218, 238), (243, 227), (263, 214), (283, 223), (308, 235), (342, 239)),
                *((192, 267), (340, 264)),
                *((196, 298), (207.5, 314.5), (226, 331), (264, 340), (302, 331), (324.5, 314), (336, 297)),
            ),
            loops=(
                ((197, 252), (180, 223), (168, 192)),
                ((207, 300), (195, 283), (188, 267)),
                ((333, 251), (352, 221), (362, 190)),
                ((325, 299), (338, 281), (346, 267)),
            ),
        ),
    )


def to_portrait(face: Face, points: Points) -> Floats:
    """Convert points of the source picture to points of the portrait."""
    return (np.asarray(points, np.float32) - np.asarray(face.corner, np.float32)) * np.float32(HEIGHT / face.height)


def bare_portrait(face: Face) -> Pixels:
    """Cut the portrait out of the source picture and scale it to the common size."""
    left, top = face.corner
    part = face.source[top : top + face.height, left : left + face.height * WIDTH // HEIGHT]
    return np.asarray(cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def flat_cloth(cloth: Cloth) -> Floats:
    """Paint a flat mask with colour, pattern, pleats and hem: RGB in 0..1 with alpha."""
    across, down = np.meshgrid(np.linspace(0, 1, CLOTH_WIDTH), np.linspace(0, 1, CLOTH_HEIGHT))
    colour = np.broadcast_to(np.asarray(cloth.colour) / 255, (*across.shape, 3))
    if cloth.dots is not None:
        # The chin stretches the cloth, so the rows lie closer there.
        row = 16 * down * (0.7 + 0.3 * down)
        centre_distance = np.hypot((across * 20 + np.floor(row) % 2 / 2) % 1 - 0.5, row % 1 - 0.5)
        dot = np.clip((0.27 - centre_distance) / 0.06, 0, 1)[..., None]
        colour = colour * (1 - dot) + np.asarray(cloth.dots) / 255 * dot

    # Worn, the cloth is light over nose and chin, and darker towards the sides and the neck.
    shade = 1.02 - 0.20 * np.abs(2 * across - 1) ** 2.5 - 0.22 * np.clip((down - 0.72) / 0.28, 0, 1) ** 2
    shade += 0.06 * np.exp(-(((across - 0.5) / 0.10) ** 2) - ((down - 0.2) / 0.25) ** 2)
    for pleat in (0.30, 0.48, 0.66):
        # A fold is light at its edge and throws a soft shadow below.
        below = down - pleat
        shade += 0.04 * np.exp(-(((below + 0.025) / 0.02) ** 2))
        shade -= 0.13 * np.exp(-((below / 0.009) ** 2)) + 0.07 * np.exp(-below / 0.05) * (below > 0)
    # Distance from the edge of a rectangle with rounded corners, as a share of its height.
    corner = 0.1
    beside = (np.abs(across - 0.5) - 0.5) * CLOTH_WIDTH / CLOTH_HEIGHT + corner
    beyond = np.abs(down - 0.5) - 0.5 + corner
    edge = corner - np.hypot(np.maximum(beside, 0), np.maximum(beyond, 0)) - np.minimum(np.maximum(beside, beyond), 0)
    shade -= 0.10 * np.exp(-(((edge - 0.05) / 0.006) ** 2)) + 0.16 * np.clip(1 - edge / 0.015, 0, 1)
    shade += np.random.default_rng(0).normal(0, 0.012, shade.shape)  # the grain of the weave

    alpha = np.clip(edge * CLOTH_HEIGHT / 3, 0, 1)
    return np.dstack([colour * shade[..., None], alpha]).astype(np.float32)


def thin_plate_spline(sources: Floats, targets: Floats, points: Floats) -> Floats:
    """Move points by the smoothest map (least bending) that moves every source to its target."""

    def basis(where: Floats) -> NDArray[np.float64]:
        distance = np.linalg.norm(where[:, None] - sources[None], axis=2).astype(np.float64)
        bending = distance**2 * np.log(np.maximum(distance, 1e-9))
        return np.hstack([bending, np.ones((len(where), 1)), where])

    affine = basis(sources)[:, len(sources) :]
    system = np.vstack([basis(sources), np.hstack([affine.T, np.zeros((3, 3))])])
    weights = np.linalg.solve(system, np.vstack([targets, np.zeros((3, 2))]))
    return np.asarray(basis(points) @ weights, np.float32)


def worn_cloth(face: Face, cloth: Cloth) -> Floats:
    """Warp the flat cloth onto the face: RGB with alpha, at the size of the oversampled portrait."""
    size = np.asarray((CLOTH_WIDTH - 1, CLOTH_HEIGHT - 1), np.float32)
    pixels = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).reshape(-1, 2).astype(np.float32)
    flat = thin_plate_spline(to_portrait(face, face.pins), np.asarray(CLOTH_PINS, np.float32) * size, pixels)
    across, down = cv2.split(cv2.resize(flat.reshape(HEIGHT, WIDTH, 2), OVERSAMPLED))
    return np.asarray(cv2.remap(flat_cloth(cloth), across, down, cv2.INTER_LINEAR), np.float32)


def ear_loops(face: Face) -> Floats:
    """Draw the ear loops as an alpha layer, at the size of the oversampled portrait."""
    layer = np.zeros(OVERSAMPLED[::-1], np.uint8)
    along = np.linspace(0, 1, 30, dtype=np.float32)[:, None]
    for loop in face.loops:
        start, bend, end = to_portrait(face, loop)
        curve = start * (1 - along) ** 2 + 2 * bend * along * (1 - along) + end * along**2
        # OpenCV takes fractions of a pixel as integers, here sixteenths.
        sixteenths = np.rint(curve * OVERSAMPLING * 16).astype(np.int32)
        cv2.polylines(layer, [sixteenths], False, 255, 3 * OVERSAMPLING, cv2.LINE_AA, shift=4)
    return np.asarray(layer / 255, np.float32)


def soften(layer: Floats, sigma: float) -> Floats:
    """Blur a layer of the oversampled portrait; sigma is in pixels of the finished portrait."""
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma * OVERSAMPLING), np.float32)


def face_light(picture: Floats, alpha: Floats) -> Floats:
    """The light on the covered skin, relative to its mean, and too blurred to show features."""
    lit = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) * alpha
    # Dividing by the blurred alpha excludes pixels beside the face from the mean.
    light = soften(lit, 30) / (soften(alpha, 30) + 1e-3)
    mean = float((light * alpha).sum() / alpha.sum())
    return np.asarray(np.clip(light / mean, 0.6, 1.3), np.float32)


def masked_portrait(face: Face, cloth: Cloth) -> Pixels:
    """Paint the mask on the portrait."""
    enlarged = cv2.resize(bare_portrait(face), OVERSAMPLED, interpolation=cv2.INTER_CUBIC)
    bare = np.asarray(enlarged / 255, np.float32)
    # As soft as the photograph: a sharper edge would look cut out.
    worn = soften(worn_cloth(face, cloth), 0.8)
    loops = soften(ear_loops(face), 0.5)[..., None]
    alpha = worn[..., 3:]

    covered = np.maximum(alpha, loops)[..., 0]
    shadow = soften(np.roll(covered, 3 * OVERSAMPLING, axis=0), 4)[..., None]
    shaded = bare * (1 - 0.35 * shadow)
    looped = shaded * (1 - loops) + np.asarray(cloth.loop_colour, np.float32) / 255 * 0.85 * loops
    masked = looped * (1 - alpha) + worn[..., :3] * face_light(bare, alpha[..., 0])[..., None] * alpha
    reduced = cv2.resize(masked, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(reduced * 255, 0, 255), np.uint8)


def group_picture(columns: list[list[Pixels]]) -> Pixels:
    """Portraits on a wall, in columns of equal height: the more portraits in a column, the smaller they are."""
    wall_height = GROUP_HEIGHT + 2 * GROUP_MARGIN
    cards: list[tuple[int, int, Pixels]] = []
    left = GROUP_MARGIN
    for column in columns:
        height = (GROUP_HEIGHT - GROUP_GAP * (len(column) - 1)) // len(column)
        width = height * WIDTH // HEIGHT
        for place, picture in enumerate(column):
            card = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            cards.append((left, GROUP_MARGIN + place * (height + GROUP_GAP), card))
        left += width + GROUP_GAP
    wall_width = left - GROUP_GAP + GROUP_MARGIN

    shadow = np.zeros((wall_height, wall_width), np.float32)
    for x, y, card in cards:
        shadow[y + 4 : y + 4 + card.shape[0], x : x + card.shape[1]] = 1
    gradient = np.linspace((226, 229, 232), (186, 192, 198), wall_height)[:, None]
    wall = np.asarray(gradient * (1 - 0.5 * cv2.GaussianBlur(shadow, (0, 0), 7)[..., None]), np.uint8)
    for x, y, card in cards:
        wall[y - 4 : y + card.shape[0] + 4, x - 4 : x + card.shape[1] + 4] = 250  # the white frame
        wall[y : y + card.shape[0], x : x + card.shape[1]] = card
    return wall


def mirrored(picture: Pixels) -> Pixels:
    """Turn a picture left to right."""
    return picture[:, ::-1]


def save(name: str, picture: Pixels) -> None:
    """Write a picture into the folder of this script."""
    Image.fromarray(picture).save(FOLDER / f"{name}.jpg", quality=90, optimize=True)


def main() -> None:
    """Make all pictures."""
    collins, hopper = load_faces()
    astronaut, grace_hopper = bare_portrait(collins), bare_portrait(hopper)
    astronaut_white, astronaut_black = masked_portrait(collins, WHITE), masked_portrait(collins, BLACK)
    hopper_blue, hopper_patterned = masked_portrait(hopper, BLUE), masked_portrait(hopper, PATTERNED)
    save("astronaut", astronaut)
    save("astronaut_white_mask", astronaut_white)
    save("astronaut_black_mask", astronaut_black)
    save("grace_hopper", grace_hopper)
    save("grace_hopper_blue_mask", hopper_blue)
    save("grace_hopper_patterned_mask", hopper_patterned)

    columns = [
        [astronaut_white],
        [grace_hopper, astronaut_black],
        [hopper_blue],
        [mirrored(astronaut), mirrored(hopper_patterned), mirrored(astronaut_white)],
    ]
    save("group", group_picture(columns))


if __name__ == "__main__":
    main()
