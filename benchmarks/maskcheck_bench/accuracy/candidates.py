"""What is compared: pipelines that differ in their detector or its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskcheck import DetectorOptionError, FrameResult, MaskPipeline

REPORTED_FROM = 0.01
"""Detection score from which faces are ranked: less sure ones add next to nothing to average precision, and take most
of the time, since each is classified."""


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
        texts: One for each candidate.
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
        rank = MaskPipeline(name, detector_options=options, min_score=REPORTED_FROM, **settings)
        show = MaskPipeline(name, detector_options=options, **settings)
        receipt = show.receipt.to_dict()
        candidates.append(Candidate(text, rank, show, show.min_score, show.classifier.labels, receipt))
    return candidates
