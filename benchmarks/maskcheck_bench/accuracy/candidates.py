"""What is compared: pipelines that differ in their detector or its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck import DetectorOptionError, MaskPipeline
from maskcheck.detectors.registry import default_registry

REPORTED_FROM = 0.01
"""Detection score from which faces are ranked: less sure ones add next to nothing to average precision, and take most
of the time, since each is classified."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pipeline under test.

    Attributes:
        name: The detector and its options, as typed.
        pipeline: It reports every face down to ``REPORTED_FROM``, so that the whole ranking is seen.
        min_score: The score from which its detector shows faces unless a user asks otherwise.
    """

    name: str
    pipeline: MaskPipeline
    min_score: float


def build_candidates(texts: Sequence[str], **settings: Any) -> list[Candidate]:
    """Candidates from texts such as ``haar preset=fast``: the name of a detector, then options.

    Args:
        texts: One for each candidate.
        settings: Further arguments of every ``MaskPipeline``.

    Raises:
        MaskCheckError: No such detector, or an option that it does not take.
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
        pipeline = MaskPipeline(name, detector_options=options, min_score=REPORTED_FROM, **settings)
        candidates.append(Candidate(text, pipeline, default_registry().find(name).spec.default_min_score))
    return candidates
