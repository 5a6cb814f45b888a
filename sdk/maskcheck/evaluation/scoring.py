"""How well found boxes fit annotated ones: average precision and recall, by COCO's rules at an overlap of 0.5.

The evaluator is faster-coco-eval, a compiled pycocotools, which the extras ``bench``, ``export`` and ``testing`` bring.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.face_sizes import SIZES

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which COCO reads a precision curve."""

_OVERLAP = 0.5
_MOST_BOXES = 10_000  # a picture; COCO's own limit of 100 is below what a crowd holds
_LARGEST = 1e10


@dataclass(frozen=True, eq=False)
class Ranking:
    """The boxes of one kind in one picture: true ones, and found ones with their scores.

    Attributes:
        true: (N, 4), ``x1, y1, x2, y2`` in pixels.
        ignored: bool (N,): finding such a box is neither right nor wrong.
        found: (M, 4).
        scores: (M,), greater for boxes that are surer.
    """

    true: NDArray[np.floating[Any]]
    ignored: NDArray[np.bool_]
    found: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Score:
    """How good a ranking is, for faces of some size.

    Attributes:
        faces: True boxes that count.
        ap50: Average precision at an overlap (intersection over union) of 0.5; NaN without faces.
        recall: Share of the faces that was found at any score; NaN without faces.
        precision: float (101,), the greatest precision at each of ``RECALLS`` or more.
        scores: float (101,), the score down to which boxes are taken to reach each of ``RECALLS``; 0 where none does.
    """

    faces: int
    ap50: float
    recall: float
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def best_min_score(self) -> float:
        """The least score at which F1, the harmonic mean of precision and recall, is greatest; NaN if none is found."""
        total = self.precision + RECALLS
        f1 = np.divide(2 * self.precision * RECALLS, total, out=np.zeros_like(total), where=total > 0)
        return float(self.scores[f1.argmax()]) if f1.any() else math.nan


def score_rankings(rankings: Sequence[Ranking]) -> dict[str, Score]:
    """Score the found boxes of many pictures, ranked together.

    For faces of one size, true boxes of other sizes are ignored, and so are found boxes of other sizes that fit none.

    Args:
        rankings: One for each picture.

    Returns:
        A score for each of ``SIZES``.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO()
    truth.dataset = {
        "images": [{"id": number} for number, _ in enumerate(rankings, 1)],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": _annotations([(one.true, None, one.ignored) for one in rankings]),
    }
    truth.createIndex()
    found = COCO()
    found.dataset = truth.dataset | {
        "annotations": _annotations([(one.found, one.scores, None) for one in rankings]),
    }
    found.createIndex()
    evaluation = COCOeval_faster(truth, found, iouType="bbox", print_function=lambda *_: None)
    parameters = evaluation.params
    parameters.iouThrs = np.array([_OVERLAP])
    parameters.recThrs = RECALLS
    parameters.maxDets = [_MOST_BOXES]
    # The "area" of a box is the square of its shorter side here; that of a true box to ignore is below all ranges.
    parameters.areaRng = [[max(low**2, 1e-6), min(high**2 - 1e-6, _LARGEST)] for low, high in SIZES.values()]
    parameters.areaRngLbl = list(SIZES)
    evaluation.evaluate()
    evaluation.accumulate()
    scores = {}
    for index, (name, (low, high)) in enumerate(SIZES.items()):
        sides = np.concatenate([_shorter_sides(one.true)[~one.ignored] for one in rankings])
        faces = int(((sides >= low) & (sides < high)).sum())
        precision = np.asarray(evaluation.eval["precision"][0, :, 0, index, 0], np.float64)
        recall = float(evaluation.eval["recall"][0, 0, index, 0])
        nothing = np.full_like(precision, math.nan)
        least = np.asarray(evaluation.eval["scores"][0, :, 0, index, 0], np.float64)
        scores[name] = Score(
            faces=faces,
            ap50=float(precision.mean()) if faces else math.nan,
            recall=recall if faces else math.nan,
            precision=precision if faces else nothing,
            scores=least if faces else nothing,
        )
    return scores


def _annotations(
    pictures: Sequence[tuple[NDArray[Any], NDArray[Any] | None, NDArray[np.bool_] | None]],
) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for number, (boxes, scores, ignored) in enumerate(pictures, 1):
        for index, (box, side) in enumerate(zip(boxes.tolist(), _shorter_sides(boxes).tolist(), strict=True)):
            left_out = ignored is not None and bool(ignored[index])
            annotation = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": 1,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "area": 0.0 if left_out else side**2,
                "iscrowd": 0,
            }
            annotations.append(annotation | ({} if scores is None else {"score": float(scores[index])}))
    return annotations


def _shorter_sides(boxes: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]), np.float64)
