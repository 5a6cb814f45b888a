"""Several boxes of one face made one: from neighbouring cells of a network, several cascades, scales or slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections

MOST_CANDIDATES = 5000
"""Candidates that are merged, the best ones; bounds the time and memory that a picture of noise costs."""


def concatenate(found: Sequence[Detections]) -> Detections:
    """All faces of several detections, without landmarks unless each has them."""
    if not found:
        return Detections.empty()
    landmarks = [one.landmarks for one in found if one.landmarks is not None]
    return Detections(
        np.concatenate([one.boxes for one in found]),
        np.concatenate([one.scores for one in found]),
        np.concatenate(landmarks) if len(landmarks) == len(found) else None,
    )


def overlap(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every pair.

    Args:
        boxes: (N, 4), ``x1, y1, x2, y2``.
        others: (M, 4).

    Returns:
        (N, M), in [0, 1]; 0 where neither has an area.
    """
    top_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    shared: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    together = _areas(boxes)[:, None] + _areas(others)[None] - shared
    return np.asarray(np.divide(shared, together, out=np.zeros_like(shared), where=together > 0), np.float32)


def merge(found: Detections, *, suppress: float = 0.45, agree: float = 0.5) -> Detections:
    """One box for each face.

    Greedy non-maximum suppression keeps the best box of each face; box voting then moves it to the mean of all
    boxes that agree with it, weighted by their scores (Gidaris and Komodakis, "Object detection via a multi-region
    and semantic segmentation-aware CNN model", 2015, section 5). A lone box stays as it is.

    Args:
        found: Candidates; only the best ``MOST_CANDIDATES`` are looked at.
        suppress: Least intersection over union with a better box at which a box is of the same face.
        agree: Least intersection over union with the kept box at which a box has a vote.

    Returns:
        Faces by falling score; score and landmarks are those of the best box of each.
    """
    found = found[np.argsort(-found.scores, kind="stable")[:MOST_CANDIDATES]]
    kept = []
    left = np.arange(len(found))
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlap(found.boxes[best : best + 1], found.boxes[left])[0] < suppress]
    faces = found[np.array(kept, np.intp)]
    boxes = [_vote(box, found, agree) for box in faces.boxes]
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), faces.scores, faces.landmarks)


def _vote(box: NDArray[np.float32], found: Detections, agree: float) -> NDArray[np.float32]:
    voters = overlap(box[None], found.boxes)[0] >= agree
    weights = found.scores[voters]
    if not weights.sum() > 0:  # a box without area agrees with none, a score of 0 has no weight
        return box
    return np.asarray(weights @ found.boxes[voters] / weights.sum(), np.float32)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)
