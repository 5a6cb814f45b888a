"""Runs pipelines over annotated pictures and scores their results."""

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
from maskcheck_bench.accuracy.compared_pipelines import ComparedPipeline

OVERLAP = 0.5
"""Intersection over union from which a box fits a face."""
WARM_UP = 3
"""Runs of each pipeline on the first picture before it is run."""


@dataclass(frozen=True, eq=False)
class PipelineRun:
    """Results of a pipeline on all pictures.

    Attributes:
        pipeline: The pipeline.
        results: In the order of the pictures; a picture that failed has a result with an error.
        timings: Of each picture that did not fail, with the faces that a user sees.
    """

    pipeline: ComparedPipeline
    results: list[FrameResult] = field(default_factory=list)
    timings: list[Timings] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Matches:
    """Which detected boxes are annotated faces, in the order of their detection scores, highest first.

    Attributes:
        faces: Number of annotated faces.
        scores: float64 (N,): detection scores.
        right: bool (N,): the box fits a face, and no box with a higher score fits the same face.
        known: bool (N,): the same, and the model knows the face's label.
        labelled: bool (N,): the same, and the label is right.
    """

    faces: int
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """What a user sees if only boxes from some detection score on are shown.

    Attributes:
        min_score: That score.
        precision: Share of the shown boxes that are faces; NaN if no box is shown.
        recall: Share of the faces that are shown; NaN without faces.
        labelled: Share of the shown faces whose label is right; NaN without shown faces. Faces whose label the model
            does not know do not count.
    """

    min_score: float
    precision: float
    recall: float
    labelled: float


def run_pipelines(pipelines: Sequence[ComparedPipeline], pictures: Iterable[AnnotatedPicture]) -> list[PipelineRun]:
    """Run every pipeline on every picture, in turns, so that noise of the machine affects all alike."""
    runs = [PipelineRun(pipeline) for pipeline in pipelines]
    warm = False
    for picture in pictures:
        if not warm:
            _warm_up(pipelines, picture)
            warm = True
        for run in runs:
            try:
                shown = run.pipeline.show(picture.path)
                result = run.pipeline.rank(picture.path)
            except MaskCheckError as error:
                run.results.append(FrameResult((), (0, 0), source=str(picture.path), error=error))
            else:
                run.results.append(result)
                run.timings.append(shown.timings)
    return runs


def _warm_up(pipelines: Sequence[ComparedPipeline], picture: AnnotatedPicture) -> None:
    for pipeline in pipelines:
        for _ in range(WARM_UP):
            with suppress(MaskCheckError):  # the measurement reports a failure
                pipeline.show(picture.path)


def score_detector(run: PipelineRun, pictures: Sequence[AnnotatedPicture]) -> dict[str, Score]:
    """Scores of the detector alone: every face counts, whatever its label."""
    return score_rankings(
        [
            Ranking(picture.boxes, np.zeros(len(picture.boxes), np.bool_), boxes(result), detection_scores(result))
            for picture, result in zip(pictures, run.results, strict=True)
        ]
    )


def score_labels(
    run: PipelineRun, pictures: Sequence[AnnotatedPicture], labels: Sequence[str]
) -> dict[str, dict[str, Score]]:
    """Scores of the whole pipeline, label by label.

    Every detected face enters the ranking of every label, with its detection score times the label's probability.
    Annotated faces with labels that are not in `labels` are ignored: detecting them is neither right nor wrong.
    """
    return {label: score_rankings(list(_rankings(run, pictures, label, labels))) for label in labels}


def _rankings(
    run: PipelineRun, pictures: Sequence[AnnotatedPicture], label: str, labels: Sequence[str]
) -> Iterator[Ranking]:
    for picture, result in zip(pictures, run.results, strict=True):
        own = np.array([name == label for name in picture.labels], np.bool_)
        foreign = np.array([name not in labels for name in picture.labels], np.bool_)
        counted = own | foreign
        probabilities = np.array([face.probabilities.get(label, 0.0) for face in result], np.float64)
        scores = detection_scores(result) * probabilities
        yield Ranking(picture.boxes[counted], foreign[counted], boxes(result), scores)


def match(run: PipelineRun, pictures: Sequence[AnnotatedPicture]) -> Matches:
    """Match boxes to annotated faces as COCO does: in the order of their scores, each box takes a single face."""
    rows = []
    for picture, result in zip(pictures, run.results, strict=True):
        free = np.ones(len(picture.boxes), np.bool_)
        fits = overlap(boxes(result).astype(np.float32), picture.boxes.astype(np.float32))
        for face, row in zip(result, fits, strict=True):  # highest score first
            fitting = np.flatnonzero(free & (row >= OVERLAP))
            right = known = labelled = False
            if len(fitting):
                best = fitting[row[fitting].argmax()]
                free[best] = False
                right = True
                known = picture.labels[best] in face.probabilities
                labelled = picture.labels[best] == face.label
            rows.append((face.detection_score or 0.0, right, known, labelled))
    table = np.array(rows, np.float64).reshape(-1, 4)
    table = table[np.argsort(-table[:, 0], kind="stable")]
    flags = table[:, 1:].astype(np.bool_)
    return Matches(sum(len(picture.boxes) for picture in pictures), table[:, 0], flags[:, 0], flags[:, 1], flags[:, 2])


def operating_point(matches: Matches, min_score: float) -> OperatingPoint:
    """What is shown from a detection score on."""
    shown = int((matches.scores >= min_score).sum())
    right, known = int(matches.right[:shown].sum()), int(matches.known[:shown].sum())
    return OperatingPoint(
        min_score=min_score,
        precision=right / shown if shown else math.nan,
        recall=right / matches.faces if matches.faces else math.nan,
        labelled=int(matches.labelled[:shown].sum()) / known if known else math.nan,
    )


def boxes(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N, 4): the boxes of the faces."""
    return np.array([face.box for face in result], np.float64).reshape(-1, 4)


def detection_scores(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N,): the detection scores of the faces."""
    return np.array([face.detection_score or 0.0 for face in result], np.float64)
