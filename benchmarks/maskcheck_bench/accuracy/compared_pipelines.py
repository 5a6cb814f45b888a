"""What is compared: pipelines that differ in their detector or its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from maskcheck import DetectorOptionError, FrameResult, MaskCheckError, MaskPipeline
from maskcheck.runtime.session import Precision
from maskcheck_bench.scenarios.peers.face_mask_detector import build_with_keras, build_with_opencv
from maskcheck_bench.scenarios.peers.race import CannotRun

REPORTED_FROM = 0.01
"""Detection score from which faces are ranked: less sure ones add next to nothing to average precision, and take most
of the time, since each is classified."""


PEERS_REPORTED_FROM = 0.15
"""The same for the recipe's detector, which proposes 3 boxes a street picture from here on, and 89 from 0.01 on."""

PEERS = {"recipe, keras": build_with_keras, "recipe, opencv dnn": build_with_opencv}
"""Whole programs to compare with."""


class PeerMissing(MaskCheckError):
    """What a peer needs is not installed."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something that finds and labels faces, under test.

    Attributes:
        name: The detector and its options, as typed.
        rank: Gives every face down to ``REPORTED_FROM``, so that the whole ranking is seen.
        show: Gives the faces that a user would see; this one is timed.
        min_score: The detection score from which those are shown.
        labels: Labels that it tells apart.
        receipt: What it runs with, as JSON-ready values.
    """

    name: str
    rank: Callable[[Path], FrameResult]
    show: Callable[[Path], FrameResult]
    min_score: float
    labels: tuple[str, ...]
    receipt: Mapping[str, Any]


def build_candidates(texts: Sequence[str], **settings: Any) -> list[Candidate]:
    """Candidates from texts such as ``haar preset=fast``: the name of a detector, then options.

    Args:
        texts: One for each candidate. An option ``precision`` is the classifier's, not the detector's.
        settings: Further arguments of every ``MaskPipeline``.

    Raises:
        MaskCheckError: No such detector, an option that it does not take, or a classifier that cannot run.
    """
    candidates = []
    for text in texts:
        name, *pairs = text.split()
        options = {}
        for pair in pairs:
            option, equals, value = pair.partition("=")
            if not option or not equals:
                raise DetectorOptionError(
                    f"expected 'DETECTOR [OPTION=VALUE ...]', got {text!r}", detector=name, option=pair
                )
            options[option] = value
        if options.get("precision", "auto") not in get_args(Precision):
            raise DetectorOptionError(
                f"{text}: precision: expected one of {', '.join(get_args(Precision))}",
                detector=name,
                option="precision",
            )
        own = settings | ({"precision": options.pop("precision")} if "precision" in options else {})
        rank = MaskPipeline(name, detector_options=options, min_score=REPORTED_FROM, **own)
        show = MaskPipeline(name, detector_options=options, **own)
        receipt = show.receipt.to_dict()
        candidates.append(Candidate(text, rank, show, show.min_score, show.classifier.labels, receipt))
    return candidates


def build_peers(names: Sequence[str], threads: int) -> list[Candidate]:
    """Candidates that are no pipelines of ours: the recipe that many programs start from.

    Args:
        names: Some of ``PEERS``.
        threads: Threads of each.

    Raises:
        PeerMissing: What it needs is not installed.
    """
    candidates = []
    for name in names:
        try:
            peer = PEERS[name](threads)
        except CannotRun as error:
            raise PeerMissing(f"{name}: {error}") from error
        rank = replace(peer, min_score=PEERS_REPORTED_FROM)
        receipt = {"detector": name, "model": "its own", "threads": threads}
        candidates.append(Candidate(name, rank, peer, peer.min_score, peer.labels, receipt))
    return candidates
