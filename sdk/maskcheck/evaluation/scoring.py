"""How well detected boxes match annotated boxes: average precision and recall by COCO's rules, at an overlap of 0.5.

The evaluator is faster-coco-eval, a compiled pycocotools, which the extras ``bench``, ``export`` and ``testing`` bring.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.face_sizes import SIZES
from maskcheck.evaluation.matching import OVERLAP, Ranking, in_range, shorter_sides

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which COCO reads a precision curve."""

_MAX_BOXES = 10_000  # for each picture; a crowd has more faces than COCO's own limit of 100
_MAX_AREA = 1e10


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
        "annotations": _numbered(
            _annotation(number, box, side, ignored=bool(ignored), counts=bool(counts))
            for number, ranking in enumerate(rankings, 1)
            for box, side, ignored, counts in _rows(ranking.annotated, ranking.ignored, ranking.counts)
        ),
    }
    truth.createIndex()
    detected = COCO()
    detected.dataset = truth.dataset | {
        "annotations": _numbered(
            _annotation(number, box, side) | {"score": float(score)}
            for number, ranking in enumerate(rankings, 1)
            for box, side, score in _rows(ranking.detected, ranking.scores)
        ),
    }
    detected.createIndex()
    evaluation = COCOeval_faster(truth, detected, iouType="bbox", print_function=lambda *_: None)
    parameters = evaluation.params
    parameters.iouThrs = np.array([OVERLAP])
    parameters.recThrs = RECALLS
    parameters.maxDets = [_MAX_BOXES]
    # COCO's "area" is the square of the shorter side here, and 0, below all ranges, for faces that do not count.
    parameters.areaRng = [[max(low**2, 1e-6), min(high**2 - 1e-6, _MAX_AREA)] for low, high in SIZES.values()]
    parameters.areaRngLbl = list(SIZES)
    evaluation.evaluate()
    evaluation.accumulate()
    scores = {}
    for index, (name, (low, high)) in enumerate(SIZES.items()):
        faces = sum(int(in_range(ranking.annotated[ranking.counts], low, high).sum()) for ranking in rankings)
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


def _annotation(
    picture: int, box: Sequence[float], side: float, *, ignored: bool = False, counts: bool = True
) -> dict[str, Any]:
    return {
        "image_id": picture,
        "category_id": 1,
        "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
        "area": side**2 if counts else 0.0,
        "iscrowd": int(ignored),
    }


def _numbered(annotations: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": number} | annotation for number, annotation in enumerate(annotations, 1)]


def _rows(boxes: NDArray[Any], *columns: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """Each box with its shorter side and the further columns."""
    return zip(boxes.tolist(), shorter_sides(boxes).tolist(), *columns, strict=True)
