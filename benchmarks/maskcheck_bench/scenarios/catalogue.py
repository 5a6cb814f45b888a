"""What is measured of classifier and pipeline, and the names of all scenarios."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskCheckError, MaskPipeline
from maskcheck.pictures.decoding import load_image
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Effort, Outcome, Scenario
from maskcheck_bench.measuring.timing import Timing, measure
from maskcheck_bench.scenarios.limits.scenario import LIMITS
from maskcheck_bench.scenarios.peers import PEERS, RECIPES
from maskcheck_bench.scenarios.scaling.scenarios import SCALING

BATCHES = (1, 8, 32)
CLASSIFIER = "classifier"
"""Group of timings of the classifier alone; an item is a face, and a round one run."""
STAGES = "stages"
"""Group of timings that add up to the time of a picture."""

_SAMPLES = 64  # crops of noise to choose from under load
_PICTURES_TOGETHER = 8


def time_classifier(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Time the classifier on noise, which costs it as much as faces do, at each batch size."""
    crops = draw_noise(pipeline.classifier, max(BATCHES))
    return Outcome(
        tuple(
            _measure(CLASSIFIER, f"batch {batch}", partial(pipeline.classifier, crops[:batch]), batch, effort)
            for batch in BATCHES
        )
    )


def time_pipeline(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Time the whole pipeline from file to result: as a stream of all pictures, and picture by picture.

    The facts tell how many pictures and faces there are in a round, and what failed.
    """
    results: list[FrameResult] = []

    def stream() -> None:
        results[:] = pipeline.stream(pictures)

    def one_by_one() -> None:
        for result in pipeline.stream(pictures, batch_size=1):
            del result

    streamed = _measure("pipeline", "stream", stream, len(pictures), effort)
    called = _measure("pipeline", "one by one", one_by_one, len(pictures), effort)
    facts = {
        "pictures": len(results),
        "faces": sum(len(result) for result in results),
        "failed": [str(result.error) for result in results if result.error is not None],
    }
    return Outcome((streamed, called), facts)


def time_stages(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Time each stage of the pipeline alone, over all pictures that can be read."""
    readable: list[str] = []
    images: list[NDArray[np.uint8]] = []
    for picture in pictures:
        try:
            images.append(load_image(picture, limits=pipeline.limits).pixels)
        except MaskCheckError:
            continue
        readable.append(picture)
    results = list(pipeline.stream(readable))
    boxes = [np.array([face.box for face in result], np.float64).reshape(-1, 4) for result in results]
    crops = [pipeline.classifier.crop(image, found) for image, found in zip(images, boxes, strict=True)]
    together = np.concatenate(crops) if crops else draw_noise(pipeline.classifier, 0)
    stages: dict[str, Callable[[], object]] = {
        "decode": lambda: [load_image(picture, limits=pipeline.limits) for picture in readable],
        "detect": lambda: [pipeline.detector.detect(image) for image in images],
        "crop": lambda: [pipeline.classifier.crop(image, found) for image, found in zip(images, boxes, strict=True)],
        "classify": lambda: pipeline.classifier(together),
        "post (result to JSON)": lambda: [json.dumps(result.to_dict()) for result in results],
    }
    items = max(len(readable), 1)
    return Outcome(tuple(_measure(STAGES, name, work, items, effort) for name, work in stages.items()))


def load_classifier(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Put the classifier under the loads of MLPerf; a sample is a crop of noise."""
    crops = draw_noise(pipeline.classifier, _SAMPLES)
    return _put_under_load(
        "classifier",
        lambda numbers: pipeline.classifier(crops[numbers]),
        samples=_SAMPLES,
        batch_size=pipeline.classifier.batch_size,
        seconds=effort.seconds,
        target_ms=effort.face_target_ms,
    )


def load_pipeline(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Put the pipeline under the loads of MLPerf; a sample is a picture file."""

    def run(numbers: Sequence[int]) -> None:
        for result in pipeline.stream([pictures[number] for number in numbers]):
            if result.error is not None:
                raise result.error

    return _put_under_load(
        "pipeline",
        run,
        samples=len(pictures),
        batch_size=_PICTURES_TOGETHER,
        seconds=effort.seconds,
        target_ms=effort.picture_target_ms,
    )


REPEATED: dict[str, Scenario] = {
    "classifier": time_classifier,
    "pipeline": time_pipeline,
    "stages": time_stages,
    **PEERS,
    **RECIPES,
}
"""Scenarios that are repeated in several processes: what reports are compared by."""

SINGLE: dict[str, Scenario] = {
    "classifier under load": load_classifier,
    "pipeline under load": load_pipeline,
    **LIMITS,
    **SCALING,
}
"""Scenarios that measure long enough in one process."""

SCENARIOS = REPEATED | SINGLE


def _measure(group: str, name: str, work: Callable[[], object], items: int, effort: Effort) -> Timing:
    return measure(name, work, items=items, **effort.of_a_timing, group=group)


def _put_under_load(
    name: str,
    run: Callable[[Sequence[int]], object],
    *,
    samples: int,
    batch_size: int,
    seconds: float,
    target_ms: float,
) -> Outcome:
    if find_spec("mlperf_loadgen") is None:
        return Outcome(skipped="MLPerf's load generator is not installed: pip install mlcommons-loadgen")
    from maskcheck_bench.measuring.mlperf_load import Subject, put_under_load

    loads = put_under_load(Subject(name, run, samples, batch_size), seconds=seconds, target_ms=target_ms)
    return Outcome(loads=tuple(loads))
