"""What is timed: the classifier alone at several batch sizes, and the whole pipeline with its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from maskcheck import FrameResult, MaskPipeline
from maskcheck_bench.timing import Timing, measure

BATCHES = (1, 8, 32)


@dataclass(frozen=True)
class Outcome:
    """What a scenario gave in one process.

    Attributes:
        timings: Of each thing that it does.
        work: What was done in a round, as JSON-ready values.
    """

    timings: tuple[Timing, ...]
    work: Mapping[str, Any]


def time_classifier(pipeline: MaskPipeline, _pictures: Sequence[str], rounds: int, warmup: int) -> Outcome:
    """Time the classifier on noise, which costs it as much as faces do, at each batch size."""
    classifier = pipeline.classifier
    size = classifier.info.input_size
    rng = np.random.default_rng(0)
    timings = []
    for batch in BATCHES:
        crops = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        work = partial(classifier, crops)
        timings.append(measure(f"classifier, batch {batch}", work, items=batch, rounds=rounds, warmup=warmup))
    return Outcome(tuple(timings), {})


def time_pipeline(pipeline: MaskPipeline, pictures: Sequence[str], rounds: int, warmup: int) -> Outcome:
    """Time the whole pipeline from file to result: as a stream of all pictures, and picture by picture.

    The work tells how many faces were found, and the share of each stage where one picture is done after the other.
    """
    results: list[FrameResult] = []

    def stream() -> None:
        results[:] = pipeline.stream(pictures)

    def one_by_one() -> None:
        results[:] = pipeline.stream(pictures, batch_size=1)

    streamed = measure("pipeline, stream", stream, items=len(pictures), rounds=rounds, warmup=warmup)
    called = measure("pipeline, one by one", one_by_one, items=len(pictures), rounds=rounds, warmup=warmup)
    total = sum(result.timings.total for result in results)
    stages = {
        stage: round(sum(getattr(result.timings, stage) for result in results) / total, 3) if total else 0.0
        for stage in ("decode", "detect", "classify")
    }
    work = {
        "pictures": len(results),
        "faces": sum(len(result) for result in results),
        "failed": [str(result.error) for result in results if result.error is not None],
        "stage_shares": stages,
    }
    return Outcome((streamed, called), work)


SCENARIOS: dict[str, Callable[[MaskPipeline, Sequence[str], int, int], Outcome]] = {
    "classifier": time_classifier,
    "pipeline": time_pipeline,
}
