"""Memory of a long run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import psutil

from maskcheck import MaskPipeline
from maskcheck.pictures.decoding import ImageLike
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.measuring.turns import PATIENCE
from maskcheck_bench.scenarios.scaling.figures import growth, quarter_means

VARIABLE = "MASKCHECK_BENCH_LONG_RUN"
"""Environment variable: how many pictures the long run takes, 10000 say, instead of as many as its time allows."""

_SAMPLES = 40  # of memory, in a run
_MEBI = 2**20


def measure_memory(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream the pictures again and again, and look how much memory the process has.

    Only many pictures can show a leak: the variable ``MASKCHECK_BENCH_LONG_RUN`` says how many. Facts are in MiB of
    resident memory; ``growth`` is the mean of the last quarter of the samples by that of the second.
    """
    count = int(os.environ.get(VARIABLE, 0)) or _affordable(pipeline, pictures, effort)
    samples = [size / _MEBI for size in sample_memory(pipeline, pictures, count)]
    _, second, _, last = quarter_means(samples)
    facts = {
        "pictures": count,
        "samples_mib": [round(sample, 1) for sample in samples],
        "second_quarter_mib": round(second, 1),
        "last_quarter_mib": round(last, 1),
        "growth": round(growth(samples), 4),
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


def _affordable(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> int:
    """Pictures that the scenario's time allows, by a first pass over some of them."""
    few = pictures[:_SAMPLES]
    started = perf_counter()
    for result in pipeline.stream(few):
        del result
    return max(_SAMPLES, round(PATIENCE * effort.seconds * len(few) / (perf_counter() - started)))


def _high_water() -> int:
    """Most resident memory that this process ever had, in bytes; 0 where the system does not tell.

    Not ``ru_maxrss``, which on Linux begins with that of the process that started this one.
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
