"""Runs pipelines over annotated pictures and scores their results."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from maskcheck import Face, FrameResult, MaskCheckError, Timings
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.matching import FALSE, UNCOUNTED, Ranking, in_range, match_boxes
from maskcheck_bench.accuracy.compared_pipelines import ComparedPipeline


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

    Boxes that are neither right nor wrong are left out.

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


@dataclass(frozen=True)
class OperatingPoint:
    """What a user sees if only boxes from some detection score on are shown.

    Attributes:
        min_score: That score.
        faces: Number of annotated faces.
        shown: Number of boxes that are shown.
        right: Number of faces that are shown.
        known: The same, of those whose label the model knows.
        labelled: The same, of those whose label is right.
    """

    min_score: float
    faces: int
    shown: int
    right: int
    known: int
    labelled: int


def run_pipelines(pipelines: Sequence[ComparedPipeline], pictures: Iterable[AnnotatedPicture]) -> list[PipelineRun]:
    """Run every pipeline on every picture, in turns, so that noise of the machine affects all alike."""
    runs = [PipelineRun(pipeline) for pipeline in pipelines]
    for picture in pictures:
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


def restrict(run: PipelineRun, labels: Sequence[str]) -> PipelineRun:
    """The run as if the model knew some labels alone: their probabilities are divided by their sum."""
    known = [label for label in run.pipeline.labels if label in labels]
    results = [replace(result, faces=tuple(_restrict(face, known) for face in result)) for result in run.results]
    return PipelineRun(replace(run.pipeline, labels=tuple(known)), results, run.timings)


def _restrict(face: Face, labels: Sequence[str]) -> Face:
    chances = {label: face.probabilities[label] for label in labels}
    total = sum(chances.values())
    shares = {label: chance / total if total else 1 / len(chances) for label, chance in chances.items()}
    label = max(shares, key=lambda name: shares[name])
    return replace(face, label=label, confidence=shares[label], probabilities=shares)


def rank_faces(run: PipelineRun, pictures: Sequence[AnnotatedPicture], labels: Collection[str]) -> list[Ranking]:
    """Rankings of the detector alone: all faces of some labels are to be found, whatever the label that they are given.

    Annotated faces of other labels are not asked for.
    """
    return [
        Ranking(picture.boxes, picture.ignored, boxes(result), detection_scores(result), _others(picture, labels))
        for picture, result in zip(pictures, run.results, strict=True)
    ]


def rank_label(
    run: PipelineRun, pictures: Sequence[AnnotatedPicture], label: str, labels: Collection[str]
) -> list[Ranking]:
    """Rankings of the whole pipeline under a label.

    Every detected face enters the ranking of every label, with its detection score times the label's probability.
    Annotated faces with labels that are not in `labels` are not asked for; those of the other `labels` are no faces
    here.
    """
    rankings = []
    for picture, result in zip(pictures, run.results, strict=True):
        others = _others(picture, labels)
        of_label = np.array([name == label for name in picture.labels], np.bool_)
        kept = of_label | others | picture.ignored
        probabilities = np.array([face.probabilities.get(label, 0.0) for face in result], np.float64)
        scores = detection_scores(result) * probabilities
        rankings.append(Ranking(picture.boxes[kept], picture.ignored[kept], boxes(result), scores, others[kept]))
    return rankings


def _others(picture: AnnotatedPicture, labels: Collection[str]) -> NDArray[np.bool_]:
    foreign = np.array([name not in labels for name in picture.labels], np.bool_)
    return foreign & ~picture.ignored


def match(
    run: PipelineRun,
    pictures: Sequence[AnnotatedPicture],
    labels: Collection[str],
    low: float = 0,
    high: float = math.inf,
) -> Matches:
    """Match boxes to annotated faces of some labels, whose shorter side is in a range of pixels."""
    rows = []
    faces = 0
    rankings = rank_faces(run, pictures, labels)
    for picture, result, ranking in zip(pictures, run.results, rankings, strict=True):
        faces += int(in_range(picture.boxes[ranking.counts], low, high).sum())
        for face, index in zip(result, match_boxes(ranking, low, high).tolist(), strict=True):
            if index != UNCOUNTED:
                label = None if index == FALSE else picture.labels[index]
                known, right = label in face.probabilities, label == face.label
                rows.append((face.detection_score or 0.0, label is not None, known, right))
    table = np.array(rows, np.float64).reshape(-1, 4)
    table = table[np.argsort(-table[:, 0], kind="stable")]
    flags = table[:, 1:].astype(np.bool_)
    return Matches(faces, table[:, 0], flags[:, 0], flags[:, 1], flags[:, 2])


def operating_point(matches: Matches, min_score: float) -> OperatingPoint:
    """What is shown from a detection score on."""
    shown = int((matches.scores >= min_score).sum())
    right, known, labelled = (int(flags[:shown].sum()) for flags in (matches.right, matches.known, matches.labelled))
    return OperatingPoint(min_score, matches.faces, shown, right, known, labelled)


def boxes(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N, 4): the boxes of the faces."""
    return np.array([face.box for face in result], np.float64).reshape(-1, 4)


def detection_scores(result: FrameResult) -> NDArray[np.float64]:
    """float64 (N,): the detection scores of the faces."""
    return np.array([face.detection_score or 0.0 for face in result], np.float64)
