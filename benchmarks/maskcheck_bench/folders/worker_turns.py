"""Pictures in worker processes against threads of one process, in turns."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from maskcheck import FrameResult, MaskPipeline
from maskcheck.engine.processes import stream_in_processes


def measure_workers(
    pictures: Sequence[Path], detectors: Mapping[str, tuple[str, Mapping[str, Any]]], rounds: int
) -> dict[str, Any]:
    """Time the same pictures in threads, in one worker and in two, in turns.

    A worker's start is not in the time: it runs from the first result to the last.

    Args:
        pictures: What is worked on.
        detectors: Name and options of each detector, by its name in the report.
        rounds: Turns; the order is turned round each time.

    Returns:
        A report: pictures a second, and the ratios to threads, JSON-ready.
    """
    report: dict[str, Any] = {"pictures": len(pictures)}
    for name, (detector, options) in detectors.items():
        pipeline = MaskPipeline(detector, detector_options=options)
        pipeline.warm_up()
        ways: dict[str, Callable[[Sequence[Path]], Iterable[FrameResult]]] = {
            "threads": pipeline.stream,
            "1 worker": partial(stream_in_processes, pipeline, workers=1),
            "2 workers": partial(stream_in_processes, pipeline, workers=2),
            "2 workers, one picture at a time": partial(stream_in_processes, pipeline, workers=2, group=1),
        }
        speeds: dict[str, list[float]] = {way: [] for way in ways}
        costs: dict[str, list[float]] = {way: [] for way in ways}
        starts: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds):
            for way in list(ways)[:: 1 if number % 2 == 0 else -1]:
                gc.collect()
                cpu = _cpu()
                started = perf_counter()
                results = iter(ways[way](pictures))
                next(results)
                first = perf_counter()
                others = sum(1 for _ in results)
                speeds[way].append(others / (perf_counter() - first))
                starts[way].append(first - started)
                del results
                costs[way].append((_cpu() - cpu) / (others + 1) * 1000)
        report[name] = {
            way: {
                "pictures_a_second": found,
                "by_threads": median(a / b for a, b in zip(found, speeds["threads"], strict=True)),
                "cpu_ms_a_picture": median(costs[way]),  # the start of the workers included
                "seconds_to_first": median(starts[way]),
            }
            for way, found in speeds.items()
        }
    return report


def _cpu() -> float:
    """Seconds that this process and its children that have ended took of the CPUs."""
    return sum(os.times()[:4])
