"""A labelled face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One labelled face.

    Attributes:
        path: The picture.
        box: The face, ``x1, y1, x2, y2`` in pixels of the upright picture.
        label: Its label.
        dataset: Name of the folder of its data set.
        group: Samples of one group (of one picture, or of near-duplicates) stay on one side of a split.
        whole: The label was given to the whole picture, not to a box.
    """

    path: Path
    box: tuple[float, float, float, float]
    label: str
    dataset: str
    group: str
    whole: bool

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
