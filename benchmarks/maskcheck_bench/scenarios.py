"""What is timed: the classifier alone at several batch sizes, and the whole pipeline with its stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck import FrameResult, MaskClassifier, MaskPipeline
from maskcheck_bench.timing import Timing, measure

BATCHES = (1, 8, 32)


def classifier_timings(classifier: MaskClassifier, *, rounds: int, warmup: int) -> Iterator[Timing]:
    """Time the classifier on noise, which costs it as much as faces do, at each batch size."""
    size = classifier.info.input_size
    rng = np.random.default_rng(0)
    for batch in BATCHES:
        crops = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        work = partial(classifier, crops)
        yield measure(f"classifier, batch {batch}", work, items=batch, rounds=rounds, warmup=warmup)


def pipeline_timing(
    pipeline: MaskPipeline, pictures: Sequence[Path], *, rounds: int, warmup: int
) -> tuple[Timing, dict[str, Any]]:
    """Time the whole pipeline from file to result over a set of pictures, one round being all of them.

    Returns:
        The timing, and of its last round: faces found, and the share of each stage in the time.
    """
    results: list[FrameResult] = []

    def work() -> None:
        results[:] = pipeline.stream(pictures)

    timing = measure("pipeline, all pictures", work, items=len(pictures), rounds=rounds, warmup=warmup)
    total = sum(result.timings.total for result in results)
    stages = {
        stage: round(sum(getattr(result.timings, stage) for result in results) / total, 3)
        for stage in ("decode", "detect", "classify")
    }
    failed = [str(result.error) for result in results if result.error is not None]
    return timing, {
        "pictures": len(results),
        "faces": sum(len(result) for result in results),
        "failed": failed,
        "stage_shares": stages,
    }
