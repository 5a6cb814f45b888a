"""Paints masks on bare faces: over the nose, under it, or on the chin; of many cuts, colours and patterns.

Positions are shares of the face, as in :mod:`~maskcheck_export.augmentation.placement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.augmentation.layers import SHIFT, Layers, Plane, fixed
from maskcheck_export.augmentation.placement import Placement, place_face

Way: TypeAlias = Literal["worn", "nose_out", "chin"]
"""How a mask is worn: over mouth and nose; over the mouth alone; on the chin."""

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

# With five points, nose and mouth are where the points are: less room is needed for what is not known.
_EXACT_PLACES: dict[Way, _Place] = {
    "worn": _Place(top=(0.455, 0.53), corners=(-0.13, -0.03), bottom=(0.97, 1.12), width=(1.00, 1.12)),
    "nose_out": _Place(top=(0.65, 0.72), corners=(-0.02, 0.05), bottom=(1.00, 1.18), width=(0.90, 1.05)),
    "chin": _Place(top=(0.85, 0.95), corners=(-0.01, 0.12), bottom=(1.08, 1.28), width=(0.72, 0.95)),
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
_AREA = np.array([[-0.15, 0.3], [1.15, 0.3], [-0.15, 1.45], [1.15, 1.45]])
"""A mask hangs under the chin, and its loops reach the ears: corners, in shares of the face."""
_MOST_TURNED, _MOST_TURNED_EXACT = 7.0, 3.0  # degrees


def paint_mask(
    pixels: BGRImage,
    face: NDArray[np.floating] | None,
    way: Way,
    rng: Generator,
    landmarks: NDArray[np.floating] | None = None,
) -> BGRImage:
    """Paint a mask on a bare face.

    Args:
        pixels: uint8 (H, W, 3), BGR; not changed.
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear; may reach out of the picture.
        way: How the mask is worn: ``worn`` covers nose and mouth, ``nose_out`` leaves the nose free, ``chin`` leaves
            nose and mouth free.
        rng: Source of all randomness.
        landmarks: (5, 2), the five points of :func:`~maskcheck_export.augmentation.placement.place_face`, which say
            where nose and mouth are and how the head is turned; without them, the face in the box is upright.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    painted = pixels.copy()
    place = place_face(face, landmarks)
    if place is None:
        return painted
    most = np.radians(_MOST_TURNED_EXACT if place.exact else _MOST_TURNED)
    layers = Layers(painted, place, _AREA, rng)
    layers.face = layers.face.tilted(rng.uniform(-most, most))
    if layers.shape[0]:
        _draw(layers, way, rng)
        layers.paste()
    return painted


def in_view(
    way: Way, face: NDArray[np.floating] | None, height: int, landmarks: NDArray[np.floating] | None = None
) -> bool:
    """Whether the picture would show a mask that is worn in this way: many faces are cropped at the chin.

    Args:
        way: How the mask is worn.
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear.
        height: Of the picture, in pixels.
        landmarks: As for :func:`paint_mask`.
    """
    place = place_face(face, landmarks)
    if place is None:
        return False
    return bool(place.pixels(np.array([[0.5, _places(place)[way].top[1] + _SEEN]]))[0, 1] <= height)


def _places(place: Placement) -> dict[Way, _Place]:
    return _EXACT_PLACES if place.exact else _PLACES


def _draw(layers: Layers, way: Way, rng: Generator) -> None:
    """Draw a mask, with its light and its shadow."""
    often = np.array([cut.often for cut in _CUTS])
    cut = _CUTS[rng.choice(len(_CUTS), p=often / often.sum())]
    upper, lower = _edges(cut, _places(layers.face)[way], rng)
    cover = layers.polygon(np.concatenate([upper, lower]))
    x, y = layers.shares
    colour = _colour(rng)
    cloth = np.full((*layers.shape, 3), colour, np.float32)
    if rng.random() < _PATTERNED:
        other = rng.uniform(0, 255, 3) if rng.random() < 0.6 else rng.choice([20.0, 240.0])
        cloth[_pattern(x, y, layers, rng)] = other
    cloth *= _relief(cut, upper, lower, layers, rng)[..., None]
    if rng.random() < cut.valve:
        place = 0.5 + rng.uniform(-0.2, 0.2), 0.35 * upper[:, 1].min() + 0.65 * lower[:, 1].max()
        centre, radius = fixed(layers.at(*place)).tolist(), int(fixed(np.array(0.07 * layers.unit)))
        cv2.circle(cloth, centre, radius, [rng.uniform(40, 235)] * 3, -1, cv2.LINE_8, SHIFT)
    if rng.random() < _LOOPS:
        _draw_loops(cover, cloth, colour, layers, upper, lower, rng)
    layers.lay(cover, cloth * layers.light[..., None], soft=rng.uniform(0.007, 0.02), shadow=rng.uniform(0.1, 0.45))


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


def _pattern(x: Plane, y: Plane, layers: Layers, rng: Generator) -> NDArray[np.bool_]:
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
    return np.asarray(layers.noise(2 / period) > rng.uniform(0.0, 0.8))


def _relief(cut: _Cut, upper: NDArray[np.float64], lower: NDArray[np.float64], layers: Layers, rng: Generator) -> Plane:
    """Light and shade of the form of a mask, 1 where it faces the light."""
    x, y = layers.shares
    middle = float(upper[:, 0].mean())
    half = float(np.ptp(upper[:, 0])) / 2
    top, bottom = float(upper[len(upper) // 2, 1]), float(lower[:, 1].max())
    sideways = (x - middle) / np.float32(half)
    # Cheeks and chin turn away from the light.
    relief = 1 - np.float32(rng.uniform(0.05, 0.3)) * sideways**2
    relief -= np.float32(rng.uniform(0.0, 0.25)) * np.clip((y - top) / np.float32(bottom - top), 0, 1) ** 2
    relief += np.float32(0.05) * layers.noise(5)  # creases
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
    layers: Layers,
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
    rng: Generator,
) -> None:
    """Straps from the corners to behind the ears: white, black or like the cloth."""
    strap = (colour, np.full(3, 235.0), np.full(3, 30.0))[rng.choice(3, p=(0.4, 0.4, 0.2))]
    low = lower[[-6, 5]]  # a little below the corners, left and right
    ends = []
    for side, (high, low_end) in enumerate(zip(upper[[0, -1]], low, strict=True)):
        ear = np.array([0.5 + (0.58 if side else -0.58), rng.uniform(0.38, 0.5)])
        ends += [np.stack([high, ear]), np.stack([low_end, ear + np.array([0.0, 0.08])])]
    lines = layers.lines([layers.face.pixels(end) for end in ends], rng.uniform(0.006, 0.018) * layers.unit, 0.85)
    lines *= 1 - cover
    share = (lines / np.maximum(cover + lines, 1e-6))[..., None]
    cloth += (strap.astype(np.float32) - cloth) * share
    cover += lines
