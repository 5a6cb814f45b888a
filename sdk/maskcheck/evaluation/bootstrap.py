"""Intervals of average precision and recall, by the bootstrap over pictures (Efron and Tibshirani 1993, chapter 13).

Faces of one picture are alike, so pictures are resampled and not faces. A picture's matches do not depend on the
others: boxes are matched once, and a resample only counts each picture as often as it was drawn. All figures use the
same resamples, so the difference of two figures of the same pictures is a paired bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.matching import FALSE, UNCOUNTED, Ranking, in_range, match_boxes
from maskcheck.evaluation.scoring import RECALLS

TIMES = 1000
"""Number of resamples."""

CONFIDENCE = 0.95
"""Of the intervals: they hold this share of the resampled values, and leave out as many on each side."""

_SEED = 0


@dataclass(frozen=True, eq=False)
class Estimate:
    """A figure of the pictures, and of each resample of them.

    Attributes:
        value: Of the pictures; NaN if there is nothing to measure it on.
        resampled: float64 (R,), of each resample, in the same order for all figures; NaN as in `value`.
    """

    value: float
    resampled: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """From the figures of the rows of :func:`draw_pictures`, (1 + R,)."""
        return cls(float(values[0]), values[1:])

    @property
    def interval(self) -> tuple[float, float] | None:
        """The percentile interval; None if there is nothing to measure it on."""
        known = self.resampled[~np.isnan(self.resampled)]
        if math.isnan(self.value) or not len(known):
            return None
        tail = 50 * (1 - CONFIDENCE)
        low, high = np.percentile(known, [tail, 100 - tail])
        return float(low), float(high)

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.resampled - other.resampled)


def mean(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of figures, such as mAP50 over labels; a figure that a resample cannot tell is left out there."""
    values = np.array([[estimate.value, *estimate.resampled] for estimate in estimates])
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return Estimate.of(np.divide(total, count, out=np.full(len(count), math.nan), where=count > 0))


def draw_pictures(pictures: int, times: int = TIMES, seed: int = _SEED) -> NDArray[np.int64]:
    """How often each picture is in each resample, drawn with replacement.

    Returns:
        int64 (1 + `times`, `pictures`); the first row is the pictures themselves, each once.
    """
    drawn = np.random.default_rng(seed).multinomial(pictures, np.full(pictures, 1 / pictures), times)
    return np.concatenate([np.ones((1, pictures), np.int64), drawn.astype(np.int64)])


@dataclass(frozen=True, eq=False)
class MatchedBoxes:
    """What counts among the detected boxes of many pictures, from the surest box on.

    Attributes:
        faces: intp (P,): number of faces to find in each picture.
        pictures: intp (M,): the picture of each box.
        right: bool (M,): the box is a face; else it is false.
    """

    faces: NDArray[np.intp]
    pictures: NDArray[np.intp]
    right: NDArray[np.bool_]

    @classmethod
    def of(cls, rankings: Sequence[Ranking], low: float = 0, high: float = math.inf) -> Self:
        """Match the boxes of each picture; of faces whose shorter side is in a range, as in :func:`match_boxes`."""
        matches = [match_boxes(ranking, low, high) for ranking in rankings]
        orders = [np.argsort(-ranking.scores, kind="stable") for ranking in rankings]
        sizes = [len(of_picture) for of_picture in matches]
        matched = np.concatenate([found[order] for found, order in zip(matches, orders, strict=True)])
        scores = np.concatenate([ranking.scores[order] for ranking, order in zip(rankings, orders, strict=True)])
        pictures = np.repeat(np.arange(len(rankings)), sizes)
        order = np.argsort(-scores, kind="stable")
        order = order[matched[order] != UNCOUNTED]
        faces = [int(in_range(ranking.annotated[ranking.counts], low, high).sum()) for ranking in rankings]
        return cls(np.array(faces, np.intp), pictures[order], matched[order] != FALSE)

    def recall(self, drawn: NDArray[np.int64]) -> Estimate:
        """Share of the faces that are detected, at any score.

        Args:
            drawn: The result of :func:`draw_pictures`.
        """
        found = np.bincount(self.pictures[self.right], minlength=len(self.faces))
        return Estimate.of(_shares(drawn @ found, drawn @ self.faces))

    def average_precision(self, drawn: NDArray[np.int64]) -> Estimate:
        """Average precision as COCO computes it: the mean, over ``RECALLS``, of the best precision from there on.

        Args:
            drawn: The result of :func:`draw_pictures`.
        """
        faces = drawn @ self.faces
        right = np.flatnonzero(self.right)
        if not len(right):
            return Estimate.of(np.where(faces > 0, 0.0, math.nan))
        # Boxes of each picture up to each right one: precision is only read at these. Counts are exact in float32.
        before = np.searchsorted(right, np.arange(len(self.right)))
        read = before < len(right)
        counts = np.zeros((2, len(self.faces), len(right)), np.float32)
        np.add.at(counts, (self.right[read].astype(np.intp), self.pictures[read], before[read]), 1)
        wrong_so_far, right_so_far = (drawn.astype(np.float32) @ np.cumsum(kind, axis=1) for kind in counts)
        boxes = right_so_far + wrong_so_far
        precision = np.divide(right_so_far, boxes, out=np.zeros(boxes.shape), where=boxes > 0, dtype=np.float64)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        values = np.full(len(drawn), math.nan)
        for row in np.flatnonzero(faces):
            reached = np.searchsorted(right_so_far[row].astype(np.float64) / faces[row], RECALLS)
            values[row] = np.append(best[row], 0)[reached].mean()
        return Estimate.of(values)


def _shares(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.divide(parts, wholes, out=np.full(len(wholes), math.nan), where=wholes > 0)
    return shares
