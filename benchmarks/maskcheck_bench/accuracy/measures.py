"""Average precision and recall of a run, with what they are on resamples of the pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.bootstrap import Estimate, MatchedBoxes, mean
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.face_sizes import MAIN, SIZES
from maskcheck.evaluation.matching import Ranking
from maskcheck.evaluation.scoring import Score, score_rankings
from maskcheck_bench.accuracy.pipeline_runs import PipelineRun, rank_faces, rank_label

INCORRECT = "mask_worn_incorrectly"


@dataclass(frozen=True, eq=False)
class Measured:
    """A ranking, scored.

    Attributes:
        scores: By range of sizes.
        ap50: With its resamples, for the ranges of ``MAIN``.
        recall: The same.
    """

    scores: Mapping[str, Score]
    ap50: Mapping[str, Estimate]
    recall: Mapping[str, Estimate]

    @classmethod
    def of(cls, rankings: Sequence[Ranking], drawn: NDArray[np.int64]) -> Self:
        """Score the rankings of all pictures, and of each resample of the pictures."""
        matched = {size: MatchedBoxes.of(rankings, *SIZES[size]) for size in MAIN}
        return cls(
            score_rankings(rankings),
            {size: boxes.average_precision(drawn) for size, boxes in matched.items()},
            {size: boxes.recall(drawn) for size, boxes in matched.items()},
        )


@dataclass(frozen=True, eq=False)
class Measures:
    """A candidate, scored.

    Attributes:
        detector: Of all faces, whatever their label.
        pipeline: By label; first with all labels, then with masks that are worn or not alone.
    """

    detector: Measured
    pipeline: Sequence[Mapping[str, Measured]]


def measure(
    run: PipelineRun, pictures: Sequence[AnnotatedPicture], counted: Collection[str], drawn: NDArray[np.int64]
) -> Measures:
    """Score a run.

    Args:
        run: Results on the pictures.
        pictures: The annotated pictures.
        counted: Labels of the annotated faces that count.
        drawn: The resamples.
    """
    known = [label for label in run.pipeline.labels if label in counted]
    sets = [known] + ([[label for label in known if label != INCORRECT]] if INCORRECT in known else [])
    return Measures(
        Measured.of(rank_faces(run, pictures, counted), drawn),
        [
            {label: Measured.of(rank_label(run, pictures, label, labels), drawn) for label in labels}
            for labels in sets
            if labels
        ],
    )


def map50(by_label: Mapping[str, Measured], size: str) -> Estimate:
    """The mean of the average precisions of the labels."""
    return mean([measured.ap50[size] for measured in by_label.values()])
