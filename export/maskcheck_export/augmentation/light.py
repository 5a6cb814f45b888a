"""Hard light and a hard-pressed camera: overexposure, back light, motion and the noise of the dark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Crop = NDArray[np.uint8]

_GAMMA = 2.2  # of sRGB, nearly: light adds up in linear values


def overexpose(crop: Crop, rng: Generator) -> Crop:
    """Let strong light from one side, or from the front, bleach a crop: bright places are white and bleed.

    Args:
        crop: uint8 (S, S, 3), RGB; not changed.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB.
    """
    gain = rng.uniform(1.4, 3.3)
    from_side = _ramp(crop.shape[0], rng) if rng.random() < 0.5 else np.ones(crop.shape[:2], np.float32)
    lit = _linear(crop) * (1 + np.float32(gain - 1) * from_side)[..., None]
    excess = np.maximum(lit - 0.9, 0).astype(np.float32)
    bleeding = cv2.GaussianBlur(excess, (0, 0), crop.shape[0] * rng.uniform(0.01, 0.06))
    return _encoded(lit + np.float32(rng.uniform(0.1, 0.6)) * bleeding)


def backlight(crop: Crop, rng: Generator) -> Crop:
    """Darken the face and lighten what is around it, as before a window or the sky.

    Args:
        crop: uint8 (S, S, 3), RGB, with the face in the middle; not changed.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB.
    """
    size = crop.shape[0]
    y, x = (np.indices((size, size), np.float32) + 0.5) / np.float32(size) - np.float32(0.5)
    distance = np.sqrt((x / rng.uniform(0.34, 0.44)) ** 2 + (np.minimum(y, 0.2) / rng.uniform(0.42, 0.5)) ** 2)
    outside = np.clip((distance - 0.9) / rng.uniform(0.3, 0.9), 0, 1)[..., None]
    linear = _linear(crop)
    dark = linear * np.float32(rng.uniform(0.08, 0.4))
    bright = linear * np.float32(rng.uniform(1.0, 3.0)) + np.float32(rng.uniform(0, 0.5))
    flare = np.float32(rng.uniform(0, 0.03))  # stray light in the lens takes the depth of the black
    return _encoded(dark + (bright - dark) * outside + flare)


def blur_by_motion(crop: Crop, rng: Generator) -> Crop:
    """Blur a crop along a line, up to a tenth of its side, as if camera or person moved.

    Args:
        crop: uint8 (S, S, 3), RGB; not changed.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB.
    """
    length = rng.uniform(0.025, 0.1) * crop.shape[0]
    angle = rng.uniform(0, np.pi)
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    start, end = (np.round((reach + end * half) * 16).astype(int).tolist() for end in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def add_noise(crop: Crop, rng: Generator) -> Crop:
    """Add the noise of a camera in little light, in half of the crops together with the dark itself.

    Args:
        crop: uint8 (S, S, 3), RGB; not changed.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB.
    """
    size = crop.shape[0]
    light = crop.astype(np.float32) * np.float32(rng.uniform(0.25, 0.8) if rng.random() < 0.5 else 1)
    # A face of few pixels that was enlarged has coarse grain.
    cells = max(round(size / np.exp(rng.uniform(0, np.log(4)))), 2)
    grain = rng.standard_normal((cells, cells, 1), np.float32) + np.float32(rng.uniform(0, 0.8)) * rng.standard_normal(
        (cells, cells, 3), np.float32
    )
    grain = cv2.resize(grain, (size, size), interpolation=cv2.INTER_LINEAR)
    # Shot noise grows with the root of the light; the noise of reading is the same everywhere.
    strength = np.float32(rng.uniform(3, 14)) * (0.5 + 0.5 * np.sqrt(light / 255))
    return np.asarray(np.clip(light + strength * grain, 0, 255), np.uint8)


def _ramp(size: int, rng: Generator) -> NDArray[np.float32]:
    """From 0 at one side to 1 at the other, in any direction."""
    y, x = np.indices((size, size), np.float32) / np.float32(size) - np.float32(0.5)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    return np.asarray(np.clip(0.5 + along * rng.uniform(1, 3), 0, 1), np.float32)


def _linear(crop: Crop) -> NDArray[np.float32]:
    return np.asarray((crop.astype(np.float32) / np.float32(255)) ** np.float32(_GAMMA), np.float32)


def _encoded(linear: NDArray[np.floating]) -> Crop:
    shown = np.clip(linear, 0, 1).astype(np.float32) ** np.float32(1 / _GAMMA)
    return np.asarray(np.rint(shown * np.float32(255)), np.uint8)
