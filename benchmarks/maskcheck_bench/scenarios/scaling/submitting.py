"""Pictures that many callers hand in one by one, and pictures of a source that pauses between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep

import numpy as np

from maskcheck import FrameResult, MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.streams import exhaust
from maskcheck_bench.measuring.turns import Work, measure_in_turns, ratio_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_for_stream

CALLERS = 32
BATCH = 8
_INTERVAL = 0.1  # seconds between two pictures of the source: 10 frames/s
_FRAMES = 20


def compare_submit_with_stream(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Submit pictures from 32 threads, and stream the same in batches of 8.

    The facts are the time of the submitted pictures divided by that of the stream, the 99th percentile of the time
    that a submitted picture waits between the two halves of the pipeline, and the pipeline's bound of it.
    """
    files = read_for_stream(pipeline, pictures).files * 4
    waits: list[float] = []
    with ThreadPoolExecutor(CALLERS) as pool:

        def label(file: str) -> FrameResult:
            return pipeline.submit(file).result()

        def submit_all() -> None:
            waits.extend(result.timings.wait for result in pool.map(label, files))

        works = [
            Work(f"submitted by {CALLERS} threads", submit_all, len(files)),
            Work(f"stream, batches of {BATCH}", lambda: exhaust(pipeline.stream(files, batch_size=BATCH)), len(files)),
        ]
        timings = measure_in_turns(works, effort, group="submitted pictures and a stream")
    submitted, streamed = timings
    return Outcome(
        timings,
        {
            "time_by_that_of_the_stream": round(ratio_in_turns(submitted, streamed), 3),
            "wait_p99_ms": round(float(np.percentile(waits, 99)), 1),
            "max_wait_ms": round(pipeline.max_wait * 1000, 1),
        },
    )


def time_paused_source(pipeline: MaskPipeline, pictures: Sequence[str], _effort: Effort) -> Outcome:
    """Stream pictures that come every 100 ms, as from a camera, in batches of the pipeline's size.

    The facts are the times from the moment when a picture comes to its result: of the first picture, of the median
    picture and of the slowest one.
    """
    images = read_for_stream(pipeline, pictures).images
    came: list[float] = []

    def camera() -> Iterator[np.ndarray]:
        due = perf_counter()
        for number in range(_FRAMES):
            due += _INTERVAL
            sleep(max(due - perf_counter(), 0))
            came.append(perf_counter())
            yield images[number % len(images)]

    latencies = [(perf_counter() - came[result.frame]) * 1000 for result in pipeline.stream(camera())]
    return Outcome(
        (),
        {
            "frames_per_second": round(1 / _INTERVAL, 1),
            "first_result_ms": round(latencies[0], 1),
            "median_result_ms": round(float(np.median(latencies)), 1),
            "slowest_result_ms": round(max(latencies), 1),
        },
    )
