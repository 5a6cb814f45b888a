"""Runs candidates over annotated pictures and scores what they find."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskCheckError, Timings
from maskcheck.detectors.fusion import overlap
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.scoring import Ranking, Score, score_rankings
from maskcheck_bench.accuracy.compared_pipelines import Candidate

OVERLAP = 0.5
WARM_UP = 3
"""Pictures that each candidate sees before the first measured one."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What one candidate did on all pictures.

    Attributes:
        candidate: Which.
        results: In the order of the pictures; one with an error for a picture on which it failed.
        timings: Of each picture that did not fail, as a user would see it.
    """

    candidate: Candidate
    results: list[FrameResult] = field(default_factory=list)
    timings: list[Timings] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Matches:
    """Which found boxes are annotated faces, by falling detection score.

    Attributes:
        faces: How many are annotated.
        scores: float64 (N,): detection scores.
        right: bool (N,): the box fits a face that no surer box fits.
        known: bool (N,): it does, and the model knows the face's label.
        labelled: bool (N,): it does, and the label is right.
    """

    faces: int
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Operation:
    """What a user sees at some least score.

    Attributes:
        min_score: That score.
        precision: Share of the shown boxes that are faces; NaN if none is shown.
        recall: Share of the faces that are shown; NaN if there are none.
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
                shown = one.candidate.show(picture.path)
                result = one.candidate.rank(picture.path)
            except MaskCheckError as error:
                one.results.append(FrameResult((), (0, 0), source=str(picture.path), error=error))
            else:
                one.results.append(result)
                one.timings.append(shown.timings)
    return measured


def _warm_up(candidates: Sequence[Candidate], picture: AnnotatedPicture) -> None:
    for candidate in candidates:
        for _ in range(WARM_UP):
            with suppress(MaskCheckError):  # a failure shows when it is measured
                candidate.show(picture.path)


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


def match(measured: Measured, pictures: Sequence[AnnotatedPicture]) -> Matches:
    """Match the found boxes to the annotated faces as COCO does: each box, the surest first, to one face."""
    rows = []
    for picture, result in zip(pictures, measured.results, strict=True):
        free = np.ones(len(picture.boxes), np.bool_)
        fits = overlap(boxes(result).astype(np.float32), picture.boxes.astype(np.float32))
        for face, row in zip(result, fits, strict=True):  # by falling score
            candidates = np.flatnonzero(free & (row >= OVERLAP))
            right = known = labelled = False
            if len(candidates):
                best = candidates[row[candidates].argmax()]
                free[best] = False
                right = True
                known = picture.labels[best] in face.probabilities
                labelled = picture.labels[best] == face.label
            rows.append((face.detection_score or 0.0, right, known, labelled))
    table = np.array(rows, np.float64).reshape(-1, 4)
    table = table[np.argsort(-table[:, 0], kind="stable")]
    flags = table[:, 1:].astype(np.bool_)
    return Matches(sum(len(picture.boxes) for picture in pictures), table[:, 0], flags[:, 0], flags[:, 1], flags[:, 2])


def operate(matches: Matches, min_score: float) -> Operation:
    """What is shown at a least score."""
    shown = int((matches.scores >= min_score).sum())
    right, known = int(matches.right[:shown].sum()), int(matches.known[:shown].sum())
    return Operation(
        min_score=min_score,
        precision=right / shown if shown else math.nan,
        recall=right / matches.faces if matches.faces else math.nan,
        labelled=int(matches.labelled[:shown].sum()) / known if known else math.nan,
    )


def boxes(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N, 4): the found boxes."""
    return np.array([face.box for face in result], np.float64).reshape(-1, 4)


def detection_scores(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N,): how sure the detector is of each."""
    return np.array([face.detection_score or 0.0 for face in result], np.float64)
