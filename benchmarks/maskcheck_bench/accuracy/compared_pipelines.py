"""The pipelines that an accuracy run compares: they differ in their detector or its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from maskcheck import DetectorOptionError, FrameResult, MaskCheckError, MaskPipeline
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


class PeerMissing(MaskCheckError):
    """A package that a peer needs is not installed."""


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


def build_pipelines(texts: Sequence[str], **settings: Any) -> list[ComparedPipeline]:
    """Pipelines from texts such as ``haar preset=fast``: the name of a detector, then options.

    Args:
        texts: A text for each pipeline. The option ``precision`` belongs to the classifier, the others to the detector.
        settings: Further arguments of every ``MaskPipeline``.

    Raises:
        MaskCheckError: The detector or an option is not known, or the classifier cannot run.
    """
    return [_build_pipeline(text, settings) for text in texts]


def _build_pipeline(text: str, settings: Mapping[str, Any]) -> ComparedPipeline:
    name, *pairs = text.split()
    options = {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not option or not equals:
            raise DetectorOptionError(
                f"expected 'DETECTOR [OPTION=VALUE ...]', got {text!r}", detector=name, option=pair
            )
        options[option] = value
    precision = options.pop("precision", None)
    if precision is not None:
        if precision not in get_args(Precision):
            raise DetectorOptionError(
                f"{text}: precision: expected one of {', '.join(get_args(Precision))}, got {precision!r}",
                detector=name,
                option="precision",
            )
        settings = {**settings, "precision": precision}
    rank = MaskPipeline(name, detector_options=options, min_score=RANKED_FROM, **settings)
    show = MaskPipeline(name, detector_options=options, **settings)
    return ComparedPipeline(text, rank, show, show.min_score, show.labels, show.receipt.to_dict())


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
        pipelines.append(ComparedPipeline(name, rank, show, show.min_score, show.labels, receipt))
    return pipelines
