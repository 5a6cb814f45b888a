"""The pipelines that an accuracy run compares: they differ in their detector or its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from maskcheck import DetectorOptionError, FrameResult, MaskCheckError, MaskPipeline
from maskcheck.hosting.creation import parse_detector
from maskcheck.runtime.precision import Precision
from maskcheck_bench.scenarios.peers.face_mask_detector import build_with_keras, build_with_opencv
from maskcheck_bench.scenarios.peers.peer import CannotRun

RANKED_FROM = 0.01
"""Detection score from which faces are ranked: lower ones hardly change the average precision, but take most of the
time, since each is classified."""

PEERS_RANKED_FROM = 0.15
"""The same for the recipe's detector, which proposes 3 boxes in a street picture from here on, and 89 from 0.01 on."""

PEERS = {"recipe, keras": build_with_keras, "recipe, opencv dnn": build_with_opencv}
"""Other programs that do the whole task."""

_PRECISION = "classifier.precision"  # a detector may have an option `precision` of its own

WARM_UP = 3
"""Runs of each pipeline on its first picture before it is measured."""


class PeerMissing(MaskCheckError):
    """A package that a peer needs is not installed."""


class FoldsDiffer(MaskCheckError):
    """The models of the folds cannot be measured as one."""


@dataclass(frozen=True)
class Fold:
    """A model, and the pictures that were kept out of its training.

    Attributes:
        model: The ONNX file.
        names: Names of the pictures that it is measured on.
    """

    model: Path
    names: frozenset[str]


@dataclass(frozen=True, eq=False)
class ComparedPipeline:
    """A program that finds and labels faces.

    Attributes:
        name: The detector and its options, as typed.
        rank: Finds all faces down to a very low detection score, so that the whole ranking is seen.
        show: Finds the faces that a user sees; this function is timed.
        min_score: The detection score from which `show` returns faces.
        labels: The labels that it knows.
        receipt: What it runs with, as JSON-ready values.
    """

    name: str
    rank: Callable[[Path], FrameResult]
    show: Callable[[Path], FrameResult]
    min_score: float
    labels: tuple[str, ...]
    receipt: Mapping[str, Any]


def build_pipelines(texts: Sequence[str], *, folds: Sequence[Fold] = (), **settings: Any) -> list[ComparedPipeline]:
    """Pipelines from texts such as ``haar preset=fast``: the name of a detector, then options.

    Args:
        texts: A text for each pipeline. The options ``classifier`` (a model file) and ``classifier.precision`` belong
            to the classifier, the others to the detector.
        folds: With folds, each picture is given to the model of its fold, unless a text names a classifier.
        settings: Further arguments of every ``MaskPipeline``.

    Raises:
        MaskCheckError: The detector or an option is not known, the classifier cannot run, or the models of the folds
            differ in their labels.
    """
    return [_build_pipeline(text, folds, settings) for text in texts]


def _build_pipeline(text: str, folds: Sequence[Fold], settings: Mapping[str, Any]) -> ComparedPipeline:
    name, options = parse_detector(text)
    precision = options.pop(_PRECISION, None)
    if precision is not None:
        if precision not in get_args(Precision):
            raise DetectorOptionError(
                f"{text}: {_PRECISION}: expected one of {', '.join(get_args(Precision))}, got {precision!r}",
                detector=name,
                option=_PRECISION,
            )
        settings = {**settings, "precision": precision}
    if classifier := options.pop("classifier", None):
        settings, folds = {**settings, "model": classifier}, ()

    def build(**more: Any) -> ComparedPipeline:
        def pipeline(**least: Any) -> MaskPipeline:
            return MaskPipeline(name, detector_options=options, **least, **{**settings, **more})

        rank, show = pipeline(min_score=RANKED_FROM), pipeline()
        return ComparedPipeline(text, rank, _warmed(show), show.min_score, show.labels, show.receipt.to_dict())

    return _join([build(model=fold.model) for fold in folds], folds) if folds else build()


def _join(pipelines: Sequence[ComparedPipeline], folds: Sequence[Fold]) -> ComparedPipeline:
    """A pipeline that gives each picture to the pipeline of its fold."""
    first = pipelines[0]
    for pipeline, fold in zip(pipelines, folds, strict=True):
        if set(pipeline.labels) != set(first.labels) or pipeline.min_score != first.min_score:
            raise FoldsDiffer(
                f"{fold.model}: expected {', '.join(first.labels)}, shown from {first.min_score:g}, as {folds[0].model}"
                f" has it; got {', '.join(pipeline.labels)}, from {pipeline.min_score:g}"
            )
    of_picture = {name: pipeline for pipeline, fold in zip(pipelines, folds, strict=True) for name in fold.names}
    return replace(
        first,
        rank=lambda path: of_picture[path.name].rank(path),
        show=lambda path: of_picture[path.name].show(path),
        receipt={**first.receipt, "folds": [dict(pipeline.receipt) for pipeline in pipelines]},
    )


def _warmed(show: Callable[[Path], FrameResult]) -> Callable[[Path], FrameResult]:
    """The function, which also runs a few times on its first picture, before that picture is timed."""
    runs = WARM_UP

    def show_warm(path: Path) -> FrameResult:
        nonlocal runs
        while runs:
            runs -= 1
            with suppress(MaskCheckError):  # the measurement reports a failure
                show(path)
        return show(path)

    return show_warm


def build_peers(names: Sequence[str], threads: int) -> list[ComparedPipeline]:
    """Pipelines that are not ours: the recipe that many programs follow.

    Args:
        names: Some of ``PEERS``.
        threads: Threads of each.

    Raises:
        PeerMissing: A package that it needs is not installed.
    """
    pipelines = []
    for name in names:
        try:
            show = PEERS[name](threads)
        except CannotRun as error:
            raise PeerMissing(f"{name}: {error}") from error
        rank = replace(show, min_score=PEERS_RANKED_FROM)
        receipt = {"detector": name, "model": "its own", "threads": threads}
        pipelines.append(ComparedPipeline(name, rank, _warmed(show), show.min_score, show.labels, receipt))
    return pipelines
