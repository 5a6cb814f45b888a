"""How long the classifier, the whole pipeline and each of its stages take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskCheckError, MaskPipeline
from maskcheck.pictures.decoding import load_image
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Outcome, count_results
from maskcheck_bench.measuring.streams import exhaust
from maskcheck_bench.measuring.timing import measure

BATCHES = (1, 8, 32)
CLASSIFIER = "classifier"
"""Group of timings of the classifier alone; an item is a face, and a round is one run."""
STAGES = "stages"
"""Group of timings that add up to the time of a picture."""


def time_classifier(pipeline: MaskPipeline, _pictures: Sequence[str], effort: Effort) -> Outcome:
    """Time the classifier at each batch size, on noise, which takes it as long as faces do."""
    classifier = mask_classifier(pipeline)
    crops = draw_noise(classifier, max(BATCHES))
    return Outcome(
        tuple(
            measure(
                f"batch {batch}",
                partial(classifier, crops[:batch]),
                effort,
                items=batch,
                group=CLASSIFIER,
            )
            for batch in BATCHES
        )
    )


def time_pipeline(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Time the whole pipeline from file to result: as a stream of all pictures, and picture by picture.

    The facts are the number of pictures and faces in a round, and what failed.
    """
    results: list[FrameResult] = []

    def stream() -> None:
        results[:] = pipeline.stream(pictures)

    def stream_singly() -> None:
        exhaust(pipeline.stream(pictures, batch_size=1))

    items = len(pictures)
    timings = (
        measure("stream", stream, effort, items=items, group="pipeline"),
        measure("one by one", stream_singly, effort, items=items, group="pipeline"),
    )
    return Outcome(timings, count_results(results))


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
    crops = [mask_classifier(pipeline).crop(*pair) for pair in zip(images, boxes, strict=True)]
    all_crops = np.concatenate(crops) if crops else draw_noise(mask_classifier(pipeline), 0)
    stages: dict[str, Callable[[], object]] = {
        "decode": lambda: [load_image(picture, limits=pipeline.limits) for picture in readable],
        "detect": lambda: [pipeline.detector.detect(image) for image in images],
        "crop": lambda: [mask_classifier(pipeline).crop(*pair) for pair in zip(images, boxes, strict=True)],
        "classify": lambda: mask_classifier(pipeline)(all_crops),
        "post (result to JSON)": lambda: [json.dumps(result.to_dict()) for result in results],
    }
    items = max(len(readable), 1)
    return Outcome(tuple(measure(name, work, effort, items=items, group=STAGES) for name, work in stages.items()))
