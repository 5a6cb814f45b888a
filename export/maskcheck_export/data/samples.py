"""A labelled face, or a place that was taken for one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from maskcheck.pictures.box import Box

NO_FACE = "no_face"
"""Label of a proposal that is no face. It is no label of the model, which says so by its output ``face``."""


@dataclass(frozen=True)
class Proposal:
    """Who proposed a box.

    Attributes:
        detector: Name of the detector.
        score: Its score, in [0, 1].
    """

    detector: str
    score: float


@dataclass(frozen=True)
class Sample:
    """One labelled face, or a box that a detector proposed.

    Attributes:
        path: The picture.
        box: What is cut out: the annotated face, or the proposal.
        label: The label of the face; ``NO_FACE`` if there is none.
        dataset: Name of the folder of its data set.
        group: Samples of one group (of one picture, or of near-duplicates) stay on one side of a split.
        whole: The label was given to the whole picture, not to a box.
        face: Where the face is; None if that is unknown, or there is none.
        is_face: Whether `box` is on the face: 1 or 0; None if it is only partly.
        proposal: Who proposed the box; None for an annotated face.
    """

    path: Path
    box: Box
    label: str
    dataset: str
    group: str
    whole: bool
    face: Box | None = None
    is_face: float | None = 1.0
    proposal: Proposal | None = None

    @property
    def shorter_side(self) -> float:
        """Shorter side of the box, in pixels."""
        x1, y1, x2, y2 = self.box
        return min(x2 - x1, y2 - y1)


def describe(samples: Iterable[Sample]) -> str:
    """Counts of a list of samples by data set and label, in words."""
    counts = Counter((sample.dataset, sample.label) for sample in samples)
    datasets = sorted({dataset for dataset, _ in counts})
    return "; ".join(
        f"{dataset}: " + ", ".join(f"{n} {label}" for (d, label), n in sorted(counts.items()) if d == dataset)
        for dataset in datasets
    )
