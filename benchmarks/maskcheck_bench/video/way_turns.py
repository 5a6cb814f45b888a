"""Ways to work on a video, timed in turns."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from maskcheck_bench.log import LOGGER
from maskcheck_bench.video.ways import Run, Way

BASE = "every frame"
"""The way that the others are compared with."""


def take_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, Any]:
    """Take all ways in each round, the order turned round each time.

    Args:
        ways: By name; :data:`BASE` is among them.
        rounds: Even, so that each way is as often early as late. The least and the greatest ratio of six are a 97 %
            interval of its median.

    Returns:
        For each way its frames a second, the CPU time of a frame and how many times as fast as :data:`BASE` it is,
        JSON-ready.
    """
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    loads = []
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            gc.collect()
            run = ways[name]()
            runs[name].append(run)
            LOGGER.info("%s: %.1f frames/s, %.1f CPU ms a frame", name, _speed(run), _cpu(run))
        loads.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
    base = [_speed(run) for run in runs[BASE]]
    return {
        "load_average_after_rounds": loads,
        "ways": {
            name: {
                "frames": taken[0].frames,
                "faces_a_frame": None if taken[0].faces is None else taken[0].faces / taken[0].frames,
                "frames_a_second": _spread([_speed(run) for run in taken]),
                "cpu_ms_a_frame": _spread([_cpu(run) for run in taken]),
                "times_as_fast": _spread([_speed(run) / other for run, other in zip(taken, base, strict=True)]),
            }
            for name, taken in runs.items()
        },
    }


def _speed(run: Run) -> float:
    return run.frames / run.seconds


def _cpu(run: Run) -> float:
    return run.cpu_seconds / run.frames * 1000


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}
