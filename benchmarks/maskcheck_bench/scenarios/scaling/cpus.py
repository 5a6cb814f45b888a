"""More CPUs: for one process, and with a process on each."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import partial

from maskcheck import MaskClassifier, MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.turns import Work, counts_up_to, measure_in_turns, ratio_in_turns
from maskcheck_bench.scenarios.scaling.pictures import read_for_stream, read_pictures
from maskcheck_bench.scenarios.scaling.workers import start_workers, stream_together

_ELSEWHERE = "keeps processes on some of the CPUs, which the runtime and OpenCV respect on Linux only"


def time_processes(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream pictures in more and more processes at once, each with one CPU and one thread."""
    if sys.platform != "linux":
        return Outcome(skipped=_ELSEWHERE)
    files = read_pictures(pipeline, pictures).files
    cpus = sorted(os.sched_getaffinity(0))
    with start_workers(_single(pipeline), files, ({cpu} for cpu in cpus)) as workers:
        works = [
            Work("pictures", partial(stream_together, workers[:count]), count * len(files), count)
            for count in counts_up_to(len(workers))
        ]
        return Outcome(measure_in_turns(works, replace(effort, warmup=0), group="processes of one thread"))


def compare_cpus(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Stream pictures in a process that is kept on one CPU, and in a process that may use all.

    The fact is how many times as fast the second is.
    """
    if sys.platform != "linux":
        return Outcome(skipped=_ELSEWHERE)
    files = read_for_stream(pipeline, pictures).files
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) == 1:
        return Outcome(skipped="this process may use one CPU only")
    with start_workers(pipeline, files, (cpus[:1], cpus)) as (narrow, wide):
        works = [
            Work("stream on one CPU", partial(stream_together, [narrow]), len(files)),
            Work(f"stream on {len(cpus)} CPUs", partial(stream_together, [wide]), len(files)),
        ]
        timings = measure_in_turns(works, replace(effort, warmup=0), group="stream on one CPU and on all")
    on_one, on_all = timings
    return Outcome(timings, {"cpus": len(cpus), "speedup": round(ratio_in_turns(on_one, on_all), 3)})


def _single(pipeline: MaskPipeline) -> MaskPipeline:
    """The same pipeline with a single thread, whatever was asked for."""
    classifier = mask_classifier(pipeline)
    single = copy(pipeline)
    single.classifier = MaskClassifier(
        classifier.path, providers=classifier.providers, threads=1, batch_size=classifier.batch_size
    )
    return single
