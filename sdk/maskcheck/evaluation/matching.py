"""Which detected box is which annotated face, by COCO's rules, at an overlap of 0.5."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.5
"""Intersection over union from which a box fits a face; share of a box inside an ignored region from which it is in."""

FALSE, UNCOUNTED = -1, -2
"""What a detected box is that matches no face that counts: a false box, or neither right nor wrong."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The boxes of a picture, all faces or those of one label: annotated boxes, and detected boxes with their scores.

    Attributes:
        annotated: (N, 4), ``x1, y1, x2, y2`` in pixels.
        ignored: bool (N,): a region that counts neither way, as in ``AnnotatedPicture``, COCO's ``iscrowd``: what lies
            in it by at least half of its own area, and fits no face, is neither right nor wrong.
        detected: (M, 4).
        scores: (M,), higher for boxes that are more certain.
        others: bool (N,): faces that are not asked for, such as those of another label; the box that fits one is
            neither right nor wrong, a second one is false. None: there are none.
    """

    annotated: NDArray[np.floating[Any]]
    ignored: NDArray[np.bool_]
    detected: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]
    others: NDArray[np.bool_] | None = None

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Bool (N,): the faces to find."""
        return ~self.ignored if self.others is None else ~self.ignored & ~self.others


def shorter_sides(boxes: NDArray[Any]) -> NDArray[np.float64]:
    """float64 (N,): the size of each box (N, 4), in pixels."""
    return np.asarray(np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]), np.float64)


def in_range(boxes: NDArray[Any], low: float, high: float) -> NDArray[np.bool_]:
    """Bool (N,): the shorter side of the box is ``low`` or more, less than ``high``, and more than 0."""
    sides = shorter_sides(boxes)
    return (sides >= low) & (sides < high) & (sides > 0)


def match_boxes(ranking: Ranking, low: float = 0, high: float = math.inf) -> NDArray[np.intp]:
    """Match the boxes of a picture: each, from the surest on, takes the free face that it fits best.

    The matching of ``pycocotools.cocoeval.COCOeval.evaluateImg``; faces of a size outside the range are treated as
    faces that are not asked for, and boxes of such a size that fit no face do not count.

    Args:
        ranking: The boxes.
        low: Least shorter side of the faces that count, in pixels.
        high: The shorter side from which they no longer count.

    Returns:
        intp (M,): the annotated face of each detected box, or ``FALSE`` or ``UNCOUNTED``.
    """
    counts = ranking.counts & in_range(ranking.annotated, low, high)
    matches = np.where(in_range(ranking.detected, low, high), FALSE, UNCOUNTED).astype(np.intp)
    fits = overlaps(ranking)
    free = np.ones(len(ranking.annotated), np.bool_)
    for index in np.argsort(-ranking.scores, kind="stable"):
        fitting = np.flatnonzero(free & (fits[index] >= OVERLAP))
        if not len(fitting):
            continue
        if counts[fitting].any():  # a face that counts goes before all that does not
            fitting = fitting[counts[fitting]]
        best = fitting[::-1][fits[index, fitting[::-1]].argmax()]  # the last of equals, as COCO has it
        free[best] = ranking.ignored[best]
        matches[index] = best if counts[best] else UNCOUNTED
    return matches


def overlaps(ranking: Ranking) -> NDArray[np.float64]:
    """How well each detected box fits each annotated box.

    Returns:
        float64 (M, N), in [0, 1]: intersection over union; for an ignored region, intersection over the area of the
        detected box.
    """
    detected, annotated = (boxes.astype(np.float64) for boxes in (ranking.detected, ranking.annotated))
    top_left = np.maximum(detected[:, None, :2], annotated[None, :, :2])
    bottom_right = np.minimum(detected[:, None, 2:], annotated[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas, of_annotated = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (detected, annotated))
    whole = np.where(ranking.ignored[None], areas[:, None], areas[:, None] + of_annotated[None] - shared)
    shares: NDArray[np.float64] = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return shares
