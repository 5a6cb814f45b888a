"""From the network's outputs to boxes (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import Detections, concatenate

STRIDES = (8, 16, 32)
"""Sides, in pixels, of the squares that a cell of each output stands for."""

LEAST_SCORE = 0.05
"""Cells with a lower score are no candidates."""


def decode(outputs: Mapping[str, NDArray[np.float32]], width: int, height: int) -> Detections:
    """Candidates of one picture, several for each face.

    Args:
        outputs: For each stride S, of the N cells row by row: ``cls_S`` and ``obj_S`` (N, 1); ``bbox_S`` (N, 4), the
            centre from the cell's corner and the log of the size; ``kps_S`` (N, 10), five points from that corner.
        width: Of the network's input, a multiple of 32 pixels.
        height: Of the network's input, a multiple of 32 pixels.

    Returns:
        Boxes and landmarks in pixels of the network's input.
    """
    return concatenate([_decode_stride(outputs, stride, width // stride, height // stride) for stride in STRIDES])


def _decode_stride(outputs: Mapping[str, NDArray[np.float32]], stride: int, columns: int, rows: int) -> Detections:
    scores = np.sqrt(np.clip(outputs[f"cls_{stride}"] * outputs[f"obj_{stride}"], 0, 1))[:, 0]
    chosen = np.flatnonzero(scores > LEAST_SCORE)
    y, x = np.divmod(np.arange(rows * columns), columns)
    cells = np.stack([x, y], axis=1)[chosen].astype(np.float32)
    boxes = outputs[f"bbox_{stride}"][chosen]
    centre = (cells + boxes[:, :2]) * stride
    half = np.exp(boxes[:, 2:]) * stride / 2
    points = (cells[:, None] + outputs[f"kps_{stride}"][chosen].reshape(-1, 5, 2)) * stride
    return Detections(np.concatenate([centre - half, centre + half], axis=1), scores[chosen], points)
