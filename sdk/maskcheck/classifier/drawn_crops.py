"""Drawn faces, for measurements without pictures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.crops import Crops


def draw_crops(count: int, size: int) -> Crops:
    """Draw rough faces, half of them with a mask; the same ones in each call.

    Args:
        count: Number of faces.
        size: Side of a crop, in pixels.

    Returns:
        uint8 (count, size, size, 3), RGB.
    """
    generator = np.random.default_rng(0)
    return np.stack([_draw(generator, size, masked=index % 2 == 0) for index in range(count)])


def _draw(generator: np.random.Generator, size: int, *, masked: bool) -> NDArray[np.uint8]:
    crop = np.full((size, size, 3), generator.integers(0, 256, 3), np.uint8)
    skin = generator.integers((120, 80, 60), (255, 200, 170)).tolist()
    x, y = (round(size * part) for part in generator.uniform(0.45, 0.55, 2))
    unit = size * generator.uniform(0.3, 0.42)
    cv2.ellipse(crop, (x, y), (round(0.8 * unit), round(1.1 * unit)), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        cv2.circle(crop, (round(x + side * 0.3 * unit), round(y - 0.3 * unit)), round(0.1 * unit), (30, 20, 20), -1)
    if masked:
        corner, opposite = (round(x - 0.65 * unit), y), (round(x + 0.65 * unit), round(y + 0.8 * unit))
        cv2.rectangle(crop, corner, opposite, generator.integers(0, 256, 3).tolist(), -1)
    else:
        cv2.ellipse(
            crop, (x, round(y + 0.5 * unit)), (round(0.3 * unit), round(0.1 * unit)), 0, 0, 360, (160, 60, 60), -1
        )
    noisy = crop + generator.normal(0, generator.uniform(2, 20), crop.shape)
    return np.asarray(cv2.GaussianBlur(np.clip(noisy, 0, 255).astype(np.uint8), (3, 3), 0), np.uint8)
