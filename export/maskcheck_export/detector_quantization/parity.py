"""Compares a detector in int8 with the same detector in float32: what it finds, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import overlap
from maskcheck.evaluation.bootstrap import MatchedBoxes, draw_pictures
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.face_sizes import MAIN, SIZES
from maskcheck.evaluation.matching import Ranking
from maskcheck.pictures.decoding import load_image
from maskcheck_export.detector_quantization.network import QuantizableDetector

_SURE = 0.3  # score in float32 from which a box is compared; the thousands below are no faces
_SAME_BOX = 0.5  # least intersection over union


@dataclass(frozen=True)
class Limits:
    """How far int8 may differ from float32.

    Attributes:
        ap50_loss: Largest loss of average precision, for each of the main sizes, in [0, 1].
        score_difference: Largest mean absolute difference of the scores.
        boxes_lost: Largest share of the boxes that are lost.
    """

    ap50_loss: float = 0.01
    score_difference: float = 0.02
    boxes_lost: float = 0.01


@dataclass(frozen=True)
class Precision:
    """Average precision at an overlap of 0.5 of faces of some sizes, in int8.

    Attributes:
        faces: Number of annotated faces of these sizes.
        ap50: Average precision; NaN without faces.
        loss: That in float32 minus `ap50`.
        interval: Of the loss: 95 %, by the paired bootstrap over pictures; None without faces.
    """

    faces: int
    ap50: float
    loss: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Parity:
    """How a detector in int8 agrees with the same in float32, on annotated pictures.

    Attributes:
        pictures: Number of pictures.
        sizes: Average precision by the size of faces: those of ``face_sizes.MAIN``.
        boxes: Boxes that float32 finds with a score of 0.3 or more.
        boxes_lost: Those of them that int8 does not find, at any score.
        score_shift: Mean of the scores of the others in int8 minus those in float32.
        score_difference: Mean of the absolute difference of these scores.
        time_ratio: Median over the pictures of the time in int8 over that in float32, whole calls of ``detect``.
    """

    pictures: int
    sizes: dict[str, Precision]
    boxes: int
    boxes_lost: int
    score_shift: float
    score_difference: float
    time_ratio: float

    def failures(self, limits: Limits) -> list[str]:
        """The limits that are exceeded, in words."""
        measured = {f"loss of AP50 ({size})": (of.loss, limits.ap50_loss) for size, of in self.sizes.items()}
        measured["mean difference of scores"] = self.score_difference, limits.score_difference
        measured["share of boxes lost"] = self.boxes_lost / max(1, self.boxes), limits.boxes_lost
        return [f"{name} {value:.4f} is above {limit:g}" for name, (value, limit) in measured.items() if value > limit]


def compare(
    floating: QuantizableDetector, quantized: QuantizableDetector, pictures: Sequence[AnnotatedPicture]
) -> Parity:
    """Let both find faces in the same pictures, in turns."""
    found: list[list[Detections]] = [[], []]
    times: list[list[float]] = [[], []]
    for picture in pictures:
        image = load_image(picture.path).pixels
        for turn, detector in enumerate((floating, quantized)):
            detector.detect(image)  # a runtime prepares for each new shape
            started = perf_counter()
            found[turn].append(detector.detect(image))
            times[turn].append(perf_counter() - started)
    before, after = ([_ranking(*pair) for pair in zip(pictures, of, strict=True)] for of in found)
    boxes, differences = _score_differences(*found)
    return Parity(
        pictures=len(pictures),
        sizes={size: _precision(before, after, *SIZES[size]) for size in MAIN},
        boxes=boxes,
        boxes_lost=boxes - len(differences),
        score_shift=float(differences.mean()) if len(differences) else 0.0,
        score_difference=float(np.abs(differences).mean()) if len(differences) else 0.0,
        time_ratio=float(np.median(np.divide(times[1], times[0]))),
    )


def _ranking(picture: AnnotatedPicture, found: Detections) -> Ranking:
    return Ranking(picture.boxes, picture.ignored, found.boxes, found.scores)


def _precision(before: Sequence[Ranking], after: Sequence[Ranking], low: float, high: float) -> Precision:
    drawn = draw_pictures(len(before))
    floating, quantized = (MatchedBoxes.of(rankings, low, high) for rankings in (before, after))
    ap50 = quantized.average_precision(drawn)
    loss = floating.average_precision(drawn) - ap50
    return Precision(int(quantized.faces.sum()), ap50.value, loss.value, loss.interval)


def _score_differences(
    floating: Sequence[Detections], quantized: Sequence[Detections]
) -> tuple[int, NDArray[np.float64]]:
    """The number of boxes in float32, and by how much the scores of those that int8 finds are higher in int8."""
    boxes = 0
    differences: list[float] = []
    for before, after in zip(floating, quantized, strict=True):
        sure = before[before.scores >= _SURE]
        boxes += len(sure)
        if len(sure) and len(after):
            overlaps = overlap(sure.boxes, after.boxes)
            same = overlaps.argmax(axis=1)
            kept = overlaps.max(axis=1) >= _SAME_BOX
            differences.extend((after.scores[same] - sure.scores)[kept].tolist())
    return boxes, np.array(differences, np.float64)
