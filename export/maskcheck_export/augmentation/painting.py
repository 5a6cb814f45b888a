"""Masks painted on bare faces: over the nose, under it, or pulled to the chin; of many colours, patterns and cuts."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.images import BGRImage

Way: TypeAlias = Literal["worn", "nose_out", "chin"]
"""How a mask is worn: over mouth and nose; over the mouth alone; on the chin."""

# Heights in an upright face, from the top of its box (0) to the chin (1): eyes 0.40, tip of the nose 0.62, nostrils
# 0.68, mouth 0.80. Of each way, the lowest and the highest place of the upper and of the lower edge.
_TOP: dict[Way, tuple[float, float]] = {"worn": (0.45, 0.60), "nose_out": (0.725, 0.765), "chin": (0.87, 0.93)}
_BOTTOM: dict[Way, tuple[float, float]] = {"worn": (0.95, 1.08), "nose_out": (0.98, 1.12), "chin": (1.05, 1.2)}
_MOUTH = 0.80

_COLOURS = {  # BGR; how often
    (225, 205, 160): 5,  # surgical blue
    (240, 240, 240): 5,
    (28, 28, 30): 6,
    (120, 120, 120): 2,
    (90, 50, 30): 2,  # navy
    (60, 50, 180): 1,
    (190, 160, 230): 1,
    (110, 150, 80): 1,
    (160, 190, 215): 1,  # beige
}
_SCALE = 4  # drawn larger and reduced: smooth edges on small faces
_CANVAS = 128  # side of the face on the canvas, at most


def paint_mask(pixels: BGRImage, face: NDArray[np.floating], way: Way, rng: Generator) -> BGRImage:
    """Paint a mask on a bare face.

    Args:
        pixels: uint8 (H, W, 3), BGR; stays as it is.
        face: ``x1, y1, x2, y2`` in pixels, from forehead to chin and ear to ear.
        way: How it is worn.
        rng: Source of all randomness.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    x1, y1, x2, y2 = (float(edge) for edge in face)
    width, height = x2 - x1, y2 - y1
    scale = min(_SCALE, max(_CANVAS / max(width, height, 1.0), 1.0))
    # The canvas reaches past the box: a mask hangs under the chin, and its loops go to the ears.
    left, top = int(np.floor(x1 - 0.3 * width)), int(np.floor(y1))
    right, bottom = int(np.ceil(x2 + 0.3 * width)), int(np.ceil(y2 + 0.35 * height))
    canvas = round((right - left) * scale), round((bottom - top) * scale)
    if min(canvas) < 2:
        return pixels.copy()
    outline, loops = _outline(way, rng)
    placed = _place(outline, x1 - left, y1 - top, width, height, rng.uniform(-6, 6)) * scale
    cover = np.zeros(canvas[::-1], np.float32)
    cv2.fillPoly(cover, [np.round(placed * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    cloth = _cloth(canvas, width * scale, rng)
    if rng.random() < 0.7:
        ends = _place(loops, x1 - left, y1 - top, width, height, 0.0) * scale
        thickness = max(1, round(0.018 * width * scale))
        for end, corner in zip(ends, (placed[0], placed[_SIDE]), strict=True):
            cv2.line(cover, corner.astype(int).tolist(), end.astype(int).tolist(), 0.8, thickness, cv2.LINE_AA)
    size = right - left, bottom - top
    cover = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    cloth = cv2.resize(cloth, size, interpolation=cv2.INTER_AREA)
    return _blend(pixels, cover, cloth, left, top, width, rng)


_SIDE = 8  # points of the upper edge


def _outline(way: Way, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mask's outline and the ends of its loops, in shares of the face box."""
    top, bottom = rng.uniform(*_TOP[way]), rng.uniform(*_BOTTOM[way])
    # The upper edge rises over the nose; under it, it runs straight or sags.
    rise = rng.uniform(0.0, 0.07) if way == "worn" else -rng.uniform(0.0, 0.03)
    wide = rng.uniform(0.40, 0.50) if way != "chin" else rng.uniform(0.32, 0.44)
    corner = top + rng.uniform(0.02, 0.10) if way == "worn" else top - rng.uniform(0.0, 0.03)
    side = corner + (bottom - corner) * rng.uniform(0.1, 0.5)
    across = np.linspace(-1, 1, _SIDE + 1)
    bulge = np.cos(across * np.pi / 2) ** rng.uniform(0.5, 2)
    upper = np.stack([0.5 + wide * across, corner + (top - rise - corner) * bulge], axis=1)
    if way != "worn":
        upper[:, 1] = np.maximum(upper[:, 1], _TOP[way][0])  # never over the nostrils
    # A superellipse from ear to chin to ear: pointed like a cup, or square like a surgical mask.
    angle = np.linspace(0, np.pi, 2 * _SIDE + 1)
    power = rng.uniform(0.55, 1.3)
    cosine, sine = np.cos(angle), np.sin(angle)
    lower = np.stack(
        [0.5 + wide * np.sign(cosine) * np.abs(cosine) ** power, side + (bottom - side) * sine**power], axis=1
    )
    points = np.concatenate([upper, lower])
    drop = 0.0 if way == "worn" else rng.uniform(0.0, 0.1)
    loops = np.array([[-0.03, 0.42 + drop], [1.03, 0.42 + drop]]) + rng.uniform(-0.03, 0.03, (2, 2))
    return points, loops


def _place(
    points: NDArray[np.float64], left: float, top: float, width: float, height: float, degrees: float
) -> NDArray[np.float64]:
    """From shares of a face box to pixels, turned about the middle of the mouth."""
    angle = np.radians(degrees)
    centre = np.array([0.5 * width, _MOUTH * height])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((points * [width, height] - centre) @ turn + centre + [left, top])


def _cloth(canvas: tuple[int, int], face_width: float, rng: Generator) -> NDArray[np.float32]:
    """Colour, pattern and folds: float32 (H, W, 3), BGR in 0..255."""
    columns, rows = canvas
    colours = list(_COLOURS)
    weights = np.array(list(_COLOURS.values()), float)
    if rng.random() < 0.85:
        base = np.array(colours[rng.choice(len(colours), p=weights / weights.sum())], np.float32)
    else:
        base = rng.uniform(0, 255, 3).astype(np.float32)
    base = np.clip(base * rng.uniform(0.85, 1.1) + rng.uniform(-12, 12, 3), 8, 250).astype(np.float32)
    cloth = np.full((rows, columns, 3), base, np.float32)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    if rng.random() < 0.3:
        other = rng.uniform(0, 255, 3).astype(np.float32)
        cloth[_pattern(x, y, face_width, rng)] = other
    shade = np.ones((rows, columns), np.float32)
    kind = rng.random()
    if kind < 0.45:  # pleats
        period = face_width * rng.uniform(0.10, 0.18)
        shade *= 1 - rng.uniform(0.05, 0.16) * (((y + rng.uniform(0, period)) / period) % 1) ** 3
    elif kind < 0.7:  # a fold down the middle: one half is darker
        middle = columns / 2 + face_width * rng.uniform(-0.06, 0.06)
        shade *= 1 - rng.uniform(0.05, 0.2) / (1 + np.exp((x - middle) / (0.02 * face_width) * rng.choice([-1, 1])))
    # The cheeks turn away from the light.
    shade *= 1 - rng.uniform(0.1, 0.35) * (np.abs(x - columns / 2) / (0.55 * face_width)) ** 2
    return cloth * np.clip(shade, 0.3, 1.1)[..., None]


def _pattern(x: NDArray[np.float32], y: NDArray[np.float32], width: float, rng: Generator) -> NDArray[np.bool_]:
    period = width * rng.uniform(0.06, 0.2)
    angle = rng.uniform(0, np.pi)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period
    v = (y * np.cos(angle) - x * np.sin(angle)) / period
    kind = rng.integers(4)
    if kind == 0:  # dots
        return np.asarray((u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < rng.uniform(0.04, 0.12))
    if kind == 1:  # stripes
        return np.asarray(u % 1 < rng.uniform(0.3, 0.6))
    if kind == 2:  # checks
        return np.asarray((u % 1 < 0.5) ^ (v % 1 < 0.5))
    coarse = rng.standard_normal((max(int(y.shape[0] / period * 2), 2), max(int(x.shape[1] / period * 2), 2)))
    return np.asarray(cv2.resize(coarse.astype(np.float32), x.shape[::-1], interpolation=cv2.INTER_CUBIC) > 0.4)


def _blend(
    pixels: BGRImage,
    cover: NDArray[np.float32],
    cloth: NDArray[np.float32],
    left: int,
    top: int,
    width: float,
    rng: Generator,
) -> BGRImage:
    """Lay the cloth over the picture, in the light of the face and with a shadow at its edge."""
    painted = pixels.copy()
    rows, columns = pixels.shape[:2]
    inside = np.s_[_overlap(top, len(cover), rows), _overlap(left, cover.shape[1], columns)]
    own = np.s_[_overlap(-top, rows, len(cover)), _overlap(-left, columns, cover.shape[1])]
    below = painted[inside].astype(np.float32)
    if not below.size:
        return painted
    alpha, cloth = cover[own][..., None], cloth[own]
    blur = max(width / 8, 0.8)
    light = cv2.GaussianBlur(below.mean(axis=2), (0, 0), blur)
    # Skin is about as bright as mid grey: by how much the face is darker or brighter, so is the cloth.
    mean = float(light[alpha[..., 0] > 0.5].mean()) if (alpha > 0.5).any() else 140.0
    exposure = np.clip(0.45 + 0.55 * mean / 140, 0.35, 1.25)
    relief = np.clip(light / max(mean, 1.0), 0.6, 1.4)[..., None]
    lit = cloth * exposure * (0.4 + 0.6 * relief) + rng.normal(0, rng.uniform(0, 4), cloth.shape)
    shadow = cv2.GaussianBlur(alpha[..., 0], (0, 0), max(width / 40, 0.5))[..., None]
    below = below * (1 - rng.uniform(0.1, 0.4) * shadow)
    painted[inside] = np.clip(below * (1 - alpha) + lit * alpha, 0, 255).astype(np.uint8)
    return painted


def _overlap(start: int, length: int, limit: int) -> slice:
    """The part of 0..limit that a stretch covers."""
    return slice(min(max(start, 0), limit), max(min(start + length, limit), 0))
