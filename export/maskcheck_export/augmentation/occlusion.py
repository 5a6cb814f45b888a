"""Something before a part of the face: a hand, hair, a phone, a pole, another person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_LARGEST = 0.2
"""Share of the crop that is hidden at most: what is left still shows the label."""


def occlude(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Hide a part of a crop behind an ellipse or a bar that comes in from an edge.

    Args:
        crop: uint8 (S, S, 3), RGB; stays as it is.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB; at most a fifth of it differs much.
    """
    size = crop.shape[0]
    shape = np.zeros((size, size), np.float32)
    along = rng.uniform(0, size)
    edge = rng.choice(4)
    start = np.array([(along, 0), (along, size), (0, along), (size, along)][edge])
    share = rng.uniform(0.03, _LARGEST) * size * size
    if rng.random() < 0.5:
        axis = np.sqrt(share / np.pi) * rng.uniform(0.7, 1.4)
        other = share / np.pi / axis
        cv2.ellipse(shape, start.astype(int).tolist(), (int(axis), int(other)), rng.uniform(0, 180), 0, 360, 1.0, -1)
    else:
        end = (
            np.array([rng.uniform(0, size), size - start[1]])
            if edge < 2
            else np.array([size - start[0], rng.uniform(0, size)])
        )
        thickness = max(int(share / max(np.linalg.norm(end - start), 1)), 1)
        cv2.line(shape, start.astype(int).tolist(), end.astype(int).tolist(), 1.0, min(thickness, size // 6))
    shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 0.02 * size + 0.5))[..., None]
    if rng.random() < 0.5:  # skin or cloth: one colour, with some light and shade
        texture = rng.uniform(20, 235, 3) + cv2.resize(rng.normal(0, 20, (4, 4, 1)), (size, size))[..., None]
    else:  # a piece of the same picture from elsewhere: its light and grain fit
        texture = np.roll(crop, rng.integers(size // 3, 2 * size // 3, 2), axis=(0, 1)).astype(np.float64)
    return np.asarray(np.clip(crop * (1 - shape) + texture * shape, 0, 255), np.uint8)
