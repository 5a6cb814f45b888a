"""Runs candidates over annotated pictures and scores what they find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskCheckError
from maskcheck.coco import AnnotatedPicture
from maskcheck.detectors.fusion import overlap
from maskcheck.scoring import Ranking, Score, score_rankings
from maskcheck_bench.accuracy.candidates import Candidate

OVERLAP = 0.5
WARM_UP = 3
"""Pictures that each candidate sees before the first measured one."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What one candidate did on all pictures.

    Attributes:
        candidate: Which.
        results: In the order of the pictures; one with an error for a picture on which it failed.
        milliseconds: Time of the detector on each picture that did not fail.
    """

    candidate: Candidate
    results: list[FrameResult] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Operation:
    """What a user sees at the detector's own least score.

    Attributes:
        min_score: That score.
        precision: Share of the shown boxes that are faces; NaN if none is shown.
        recall: Share of the faces that are shown.
        labelled: Share of the shown faces whose label is right; NaN if there is none. A face whose label the model does
            not know is not counted.
    """

    min_score: float
    precision: float
    recall: float
    labelled: float


def run_candidates(candidates: Sequence[Candidate], pictures: Iterable[AnnotatedPicture]) -> list[Measured]:
    """Run every candidate on every picture, in turns, so that noise of the machine meets all alike."""
    measured = [Measured(candidate) for candidate in candidates]
    warm = False
    for picture in pictures:
        if not warm:
            _warm_up(candidates, picture)
            warm = True
        for one in measured:
            try:
                result = one.candidate.pipeline(picture.path)
            except MaskCheckError as error:
                one.results.append(FrameResult((), (0, 0), source=str(picture.path), error=error))
            else:
                one.results.append(result)
                one.milliseconds.append(result.timings.detect)
    return measured


def _warm_up(candidates: Sequence[Candidate], picture: AnnotatedPicture) -> None:
    for candidate in candidates:
        for _ in candidate.pipeline.stream([picture.path] * WARM_UP):
            pass  # a failure shows when it is measured


def score_detector(measured: Measured, pictures: Sequence[AnnotatedPicture]) -> dict[str, Score]:
    """The detector alone: every face counts, whatever its label."""
    return score_rankings(
        [
            Ranking(picture.boxes, np.zeros(len(picture.boxes), np.bool_), boxes(result), detection_scores(result))
            for picture, result in zip(pictures, measured.results, strict=True)
        ]
    )


def score_labels(
    measured: Measured, pictures: Sequence[AnnotatedPicture], labels: Sequence[str]
) -> dict[str, dict[str, Score]]:
    """The whole pipeline, label by label.

    Every found face enters the ranking of every label, with its detection score times the label's probability.
    Annotated faces of labels that are not among `labels` are ignored: finding them is neither right nor wrong.
    """
    return {label: score_rankings(list(_rankings(measured, pictures, label, labels))) for label in labels}


def _rankings(
    measured: Measured, pictures: Sequence[AnnotatedPicture], label: str, labels: Sequence[str]
) -> Iterator[Ranking]:
    for picture, result in zip(pictures, measured.results, strict=True):
        own = np.array([one == label for one in picture.labels], np.bool_)
        foreign = np.array([one not in labels for one in picture.labels], np.bool_)
        counted = own | foreign
        probabilities = np.array([face.probabilities.get(label, 0.0) for face in result], np.float64)
        scores = detection_scores(result) * probabilities
        yield Ranking(picture.boxes[counted], foreign[counted], boxes(result), scores)


def operate(measured: Measured, pictures: Sequence[AnnotatedPicture]) -> Operation:
    """What is shown at the detector's own least score."""
    shown = faces = right = labelled = known = 0
    for picture, result in zip(pictures, measured.results, strict=True):
        chosen = [face for face in result if (face.detection_score or 0) >= measured.candidate.min_score]
        shown += len(chosen)
        faces += len(picture.boxes)
        left = np.ones(len(picture.boxes), np.bool_)
        fits = overlap(
            np.array([face.box for face in chosen], np.float32).reshape(-1, 4), picture.boxes.astype(np.float32)
        )
        for face, row in zip(chosen, fits, strict=True):  # by falling score, as COCO matches
            candidates = np.flatnonzero(left & (row >= OVERLAP))
            if len(candidates):
                best = candidates[row[candidates].argmax()]
                left[best] = False
                right += 1
                if picture.labels[best] in face.probabilities:
                    known += 1
                    labelled += picture.labels[best] == face.label
    return Operation(
        min_score=measured.candidate.min_score,
        precision=right / shown if shown else float("nan"),
        recall=right / faces if faces else float("nan"),
        labelled=labelled / known if known else float("nan"),
    )


def boxes(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N, 4): the found boxes."""
    return np.array([face.box for face in result], np.float64).reshape(-1, 4)


def detection_scores(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N,): how sure the detector is of each."""
    return np.array([face.detection_score or 0.0 for face in result], np.float64)
