"""Several boxes of a face become a single box: those of cells of a network, of cascades, scales or slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections

MOST_CANDIDATES = 5000
"""Candidates that are merged, the best ones; bounds the time and memory that a picture of noise costs."""

_NEIGHBOURS = 4
"""Candidates are neighbours if their centres lie in the same cell of a grid, with this many cells along their side."""

_SAME_FACE = 0.3
"""Least intersection over union with a better box at which a judged box is of the same face."""

_AGREE = 0.5
"""Least intersection over union at which boxes agree on where a face is."""

_INSIDE = 0.7
"""Share of the smaller of two boxes inside the other above which they are of the same face."""


def concatenate(parts: Sequence[Detections]) -> Detections:
    """All faces of several detections.

    They have landmarks if all parts with faces have them, as many of each face; the same goes for probabilities.
    """
    if not parts:
        return Detections.empty()
    # A part without faces has no say in what there is of each face, unless no part has any.
    return Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        _of_each_face([(len(part), part.landmarks) for part in parts]),
        _of_each_face([(len(part), part.probabilities) for part in parts]),
    )


def foremost(candidates: Detections, most: int) -> Detections:
    """The best candidates, so many at most, in the order in which they came.

    Of those with equal scores, as a cascade gives them, the first of every neighbourhood goes before the second of any,
    and neighbourhoods of many candidates go before those of few: no face is left out because another has many.

    Args:
        candidates: Any number of them.
        most: As many as may be left.
    """
    if len(candidates) <= most:
        return candidates
    sides = np.maximum((candidates.boxes[:, 2:] - candidates.boxes[:, :2]).max(axis=1), 1).astype(np.float64)
    sizes = np.round(2 * np.log2(sides))
    centres = (candidates.boxes[:, :2].astype(np.float64) + candidates.boxes[:, 2:]) / 2
    cells = np.column_stack([sizes, np.floor(centres / (2 ** (sizes / 2) / _NEIGHBOURS)[:, None])])
    _, neighbourhood, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    neighbourhood = neighbourhood.reshape(-1)
    together = np.argsort(neighbourhood, kind="stable")
    turn = np.empty(len(candidates), np.intp)
    turn[together] = np.arange(len(candidates)) - np.repeat(np.cumsum(counts) - counts, counts)
    best = np.lexsort((-counts[neighbourhood], turn, -candidates.scores))[:most]
    return candidates[np.sort(best)]


def overlap(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float32]:
    """Intersection over union of every pair.

    Args:
        boxes: (N, 4), ``x1, y1, x2, y2``.
        others: (M, 4).

    Returns:
        (N, M), in [0, 1]; 0 where neither has an area.
    """
    return overlap_of_pairs(boxes[:, None], others[None])


def overlap_of_pairs(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float32]:
    """Intersection over union of boxes (..., 4) with others (..., 4), pair by pair; their shapes are broadcast."""
    sides = np.clip(np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2]), 0, None)
    shared = sides[..., 0] * sides[..., 1]
    together = _areas(boxes) + _areas(others) - shared
    return np.asarray(np.divide(shared, together, out=np.zeros_like(shared), where=together > 0), np.float32)


def merge(candidates: Detections, *, suppress: float = 0.45, agree: float = _AGREE) -> Detections:
    """One box for each face.

    Greedy non-maximum suppression keeps the best box of each face; box voting then moves it to the mean of all
    boxes that agree with it, weighted by their scores (Gidaris and Komodakis, "Object detection via a multi-region
    and semantic segmentation-aware CNN model", 2015, section 5). A lone box stays as it is.

    Args:
        candidates: Several for each face, perhaps; only the best ``MOST_CANDIDATES`` are looked at.
        suppress: Least intersection over union with a better box at which a box is of the same face.
        agree: Least intersection over union with the kept box at which a box has a vote.

    Returns:
        Faces by falling score; score, landmarks and probabilities are those of the best box of each.
    """
    return _merge(candidates, suppress, agree)[0]


def one_box_per_face(judged: Detections, width: int, height: int) -> Detections:
    """One box for each face of a picture, from candidates whose scores tell faces from parts of faces.

    An eye with its cheek looks much like a small face, and a head with its shoulders like a large one: what lies
    inside a surer box, or around it, is left out.

    Args:
        judged: The candidates.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Returns:
        Faces by falling score, their boxes cut to the picture.
    """
    return best_of_each_face(judged, width, height)[0]


def best_of_each_face(judged: Detections, width: int, height: int) -> tuple[Detections, NDArray[np.intp]]:
    """As :func:`one_box_per_face`; and the index of each face's best candidate, whose score and landmarks it has."""
    merged, best = _merge(judged, _SAME_FACE, _AGREE)
    inside = merged.inside(width, height)
    faces = merged[inside].clipped(width, height)
    kept: list[int] = []
    surer = np.empty_like(faces.boxes)  # its beginning: the boxes that are kept
    for index, box in enumerate(faces.boxes):
        before = surer[: len(kept)]
        smaller = np.minimum(_areas(before), np.prod(box[2:] - box[:2]))
        if not (shared_areas(before, box) > _INSIDE * smaller).any():
            surer[len(kept)] = box
            kept.append(index)
    chosen = np.array(kept, np.intp)
    return faces[chosen], best[inside][chosen]


def shared_areas(boxes: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area that each of some boxes (N, 4) has in common with one (4,)."""
    sides = np.maximum(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def _merge(candidates: Detections, suppress: float, agree: float) -> tuple[Detections, NDArray[np.intp]]:
    """What :func:`merge` gives, and the index of each face's best candidate."""
    order = np.argsort(-candidates.scores, kind="stable")[:MOST_CANDIDATES]
    candidates = candidates[order]
    kept = _suppressed(candidates, suppress)
    faces = candidates[kept]
    blocks = np.array_split(faces.boxes, len(faces) // 64 + 1)  # bounds the memory that many faces take
    boxes = np.concatenate([_vote(block, candidates, agree) for block in blocks])
    return replace(faces, boxes=boxes), order[kept]


def _of_each_face(parts: Sequence[tuple[int, NDArray[np.float32] | None]]) -> NDArray[np.float32] | None:
    """Arrays of parts, each with its number of faces, one after the other; None if those with faces are not alike."""
    with_faces = [array for count, array in parts if count] or [array for _, array in parts if array is not None]
    arrays = [array for array in with_faces if array is not None]
    alike = len(arrays) == len(with_faces) and len({array.shape[1:] for array in arrays}) == 1
    return np.concatenate(arrays) if alike else None


def _suppressed(candidates: Detections, suppress: float) -> NDArray[np.intp]:
    """Indices of the boxes that are left by non-maximum suppression, in the order of `candidates`, best first."""
    import cv2  # here, so that detectors can be listed where OpenCV does not load

    corners = candidates.boxes.astype(np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    ranks = np.arange(len(candidates), 0, -1, dtype=np.float32)  # equal scores in a fixed order
    kept = cv2.dnn.NMSBoxes(np.concatenate([corners[:, :2], sides], axis=1), ranks, 0.0, suppress)  # type: ignore[arg-type]
    return np.asarray(kept, np.intp).reshape(-1)


def _vote(boxes: NDArray[np.float32], candidates: Detections, agree: float) -> NDArray[np.float32]:
    """Each box moved to the mean of all that agree with it."""
    weights = np.where(overlap(boxes, candidates.boxes) >= agree, candidates.scores, np.float32(0))
    total = weights.sum(axis=1, keepdims=True)
    # A box without area agrees with none, and a score of 0 has no weight.
    return np.where(total > 0, weights @ candidates.boxes / np.where(total > 0, total, 1), boxes)


def _areas(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
