"""From the network's outputs to boxes.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2020 (arXiv:1911.03599).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import Detections

STRIDE = 4
"""Side of the square of pixels that a cell stands for."""

LEAST_SCORE = 0.05
"""Cells with a lower score are no candidates."""


def decode(
    heat: NDArray[np.float32],
    sizes: NDArray[np.float32],
    offsets: NDArray[np.float32],
    landmarks: NDArray[np.float32],
) -> Detections:
    """Candidates of one picture, several for each face.

    Args:
        heat: (1, h, w), the score of a face whose centre is in the cell.
        sizes: (2, h, w), log of height and width, in cells.
        offsets: (2, h, w), where in the cell the centre is, y and x.
        landmarks: (10, h, w), y and x of eyes, nose and corners of the mouth, as shares of the box.

    Returns:
        Boxes and landmarks in pixels of the network's input.
    """
    rows, columns = np.nonzero(heat[0] > LEAST_SCORE)
    height, width = np.exp(sizes[:, rows, columns]) * STRIDE
    y, x = (np.stack([rows, columns]) + offsets[:, rows, columns] + 0.5) * STRIDE
    shares = landmarks[:, rows, columns].reshape(5, 2, -1).transpose(2, 0, 1)[:, :, ::-1]
    corner, size = np.stack([x - width / 2, y - height / 2], axis=1), np.stack([width, height], axis=1)
    points = corner[:, None] + shares * size[:, None]
    boxes = np.concatenate([corner, corner + size], axis=1)
    return Detections(
        boxes.astype(np.float32), np.clip(heat[0, rows, columns], 0, 1), np.ascontiguousarray(points, np.float32)
    )
