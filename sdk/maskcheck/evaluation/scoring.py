"""How well detected boxes match annotated boxes: average precision and recall by COCO's rules, at an overlap of 0.5.

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
_MAX_BOXES = 10_000  # for each picture; a crowd has more faces than COCO's own limit of 100
_MAX_AREA = 1e10


@dataclass(frozen=True, eq=False)
class Ranking:
    """The boxes of a picture, all faces or those of one label: annotated boxes, and detected boxes with their scores.

    Attributes:
        annotated: (N, 4), ``x1, y1, x2, y2`` in pixels.
        ignored: bool (N,): a detection of such an annotated box is neither right nor wrong.
        detected: (M, 4).
        scores: (M,), higher for boxes that are more certain.
    """

    annotated: NDArray[np.floating[Any]]
    ignored: NDArray[np.bool_]
    detected: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Score:
    """How good rankings are, for faces of a range of sizes.

    Attributes:
        faces: Annotated boxes that count.
        ap50: Average precision at an overlap (intersection over union) of 0.5; NaN without faces.
        recall: Share of the faces that are detected, at any score; NaN without faces.
        precision: float (101,), the greatest precision at each of ``RECALLS`` or more.
        scores: float (101,), the highest threshold for scores that reaches each of ``RECALLS``; 0 where none does.
    """

    faces: int
    ap50: float
    recall: float
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def best_min_score(self) -> float:
        """The threshold for scores at which F1, the harmonic mean of precision and recall, is highest; NaN for none."""
        total = self.precision + RECALLS
        f1 = np.divide(2 * self.precision * RECALLS, total, out=np.zeros_like(total), where=total > 0)
        return float(self.scores[f1.argmax()]) if f1.any() else math.nan


def score_rankings(rankings: Sequence[Ranking]) -> dict[str, Score]:
    """Score the detected boxes of many pictures, ranked together.

    The score of a range of sizes ignores annotated boxes of other sizes, and detected boxes of other sizes that match
    no annotated box.

    Args:
        rankings: The boxes of each picture.

    Returns:
        A score for each range of ``SIZES``.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO()
    truth.dataset = {
        "images": [{"id": number} for number, _ in enumerate(rankings, 1)],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": _annotations([(ranking.annotated, None, ranking.ignored) for ranking in rankings]),
    }
    truth.createIndex()
    detected = COCO()
    detected.dataset = truth.dataset | {
        "annotations": _annotations([(ranking.detected, ranking.scores, None) for ranking in rankings]),
    }
    detected.createIndex()
    evaluation = COCOeval_faster(truth, detected, iouType="bbox", print_function=lambda *_: None)
    parameters = evaluation.params
    parameters.iouThrs = np.array([_OVERLAP])
    parameters.recThrs = RECALLS
    parameters.maxDets = [_MAX_BOXES]
    # COCO's "area" is the square of the shorter side here, and 0, below all ranges, for boxes to ignore.
    parameters.areaRng = [[max(low**2, 1e-6), min(high**2 - 1e-6, _MAX_AREA)] for low, high in SIZES.values()]
    parameters.areaRngLbl = list(SIZES)
    evaluation.evaluate()
    evaluation.accumulate()
    scores = {}
    for index, (name, (low, high)) in enumerate(SIZES.items()):
        sides = np.concatenate([_shorter_sides(ranking.annotated)[~ranking.ignored] for ranking in rankings])
        faces = int(((sides >= low) & (sides < high)).sum())
        precision = np.asarray(evaluation.eval["precision"][0, :, 0, index, 0], np.float64)
        recall = float(evaluation.eval["recall"][0, 0, index, 0])
        nothing = np.full_like(precision, math.nan)
        thresholds = np.asarray(evaluation.eval["scores"][0, :, 0, index, 0], np.float64)
        scores[name] = Score(
            faces=faces,
            ap50=float(precision.mean()) if faces else math.nan,
            recall=recall if faces else math.nan,
            precision=precision if faces else nothing,
            scores=thresholds if faces else nothing,
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
