"""Memory of a long run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil

from maskcheck import MaskPipeline
from maskcheck.pictures.decoding import ImageLike
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.streams import exhaust
from maskcheck_bench.measuring.timing import time_once
from maskcheck_bench.measuring.turns import PATIENCE

VARIABLE = "MASKCHECK_BENCH_LONG_RUN"
"""Environment variable: the number of pictures of the long run, 10000 for example; without it, time decides."""

_LEAST = 4  # pictures: every quarter of the run has a sample
_SAMPLES = 40  # of memory, in a run
_MEBI = 2**20


def measure_memory(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream the pictures again and again, and look how much memory the process has.

    Only many pictures can show a leak: the variable ``MASKCHECK_BENCH_LONG_RUN`` sets their number. Facts are in MiB of
    resident memory. ``growth`` is the mean of the samples' last quarter divided by that of their second: 1.02 is a
    growth of 2 %. The first quarter does not count, since it fills memory that is used again later.
    """
    count = int(os.environ.get(VARIABLE, 0)) or _affordable(pipeline, pictures, effort)
    if count < _LEAST:
        raise ValueError(f"{VARIABLE}: expected {_LEAST} pictures or more, got {count}")
    samples = [size / _MEBI for size in sample_memory(pipeline, pictures, count)]
    second, last = second_and_last_quarter(samples)
    facts = {
        "pictures": count,
        "samples_mib": [round(sample, 1) for sample in samples],
        "second_quarter_mib": round(second, 1),
        "last_quarter_mib": round(last, 1),
        "growth": round(last / second, 4),
        "high_water_mib": round(max(*samples, _high_water() / _MEBI), 1),
    }
    return Outcome(facts=facts)


def sample_memory(
    pipeline: MaskPipeline, pictures: Sequence[ImageLike], count: int, samples: int = _SAMPLES
) -> list[int]:
    """Resident memory in bytes, at so many moments of a stream of `count` pictures."""
    process = psutil.Process()
    step = max(1, count // samples)
    sizes = []
    for number, result in enumerate(pipeline.stream(islice(cycle(pictures), count)), 1):
        del result
        if number % step == 0:
            sizes.append(process.memory_info().rss)
    return sizes


def second_and_last_quarter(samples: Sequence[float]) -> tuple[float, float]:
    """Means of the second and of the last quarter of four samples or more."""
    _, second, _, last = (float(np.mean(quarter)) for quarter in np.array_split(np.asarray(samples), 4))
    return second, last


def _affordable(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> int:
    """Number of pictures that the scenario has time for, estimated by a first pass over some of them."""
    few = pictures[:_SAMPLES]
    milliseconds = time_once(lambda: exhaust(pipeline.stream(few)))
    return max(_SAMPLES, round(PATIENCE * effort.seconds * len(few) / milliseconds * 1000))


def _high_water() -> int:
    """Most resident memory that this process ever had, in bytes; 0 where the system does not say.

    Not ``ru_maxrss``, which on Linux starts with that of the parent process.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    kibibytes = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(kibibytes[1]) * 1024 if kibibytes else 0
