"""The SDK in a pool of processes: each loads the models once, then takes pictures; a line of JSON for each picture.

Usage: python examples/process_pool.py [--start spawn|fork|forkserver] [--processes N] PICTURE ...

Threads are enough for most programs. Processes are for those that have them anyway, or whose own work holds Python's
lock. A pipeline is pickled as its configuration, and a child made by fork loads models of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from maskcheck import FrameResult, MaskPipeline

_pipeline: MaskPipeline  # of a process of the pool


def start(pipeline: MaskPipeline) -> None:
    """Keep the pipeline in a process of the pool, and load its models before the first picture comes."""
    global _pipeline
    pipeline.warm_up()
    _pipeline = pipeline


def look(picture: str) -> FrameResult:
    """The result for one picture; where it cannot be read, the result has the error."""
    (result,) = _pipeline.stream([picture], workers=1)
    return result


def results(pictures: Sequence[str], pipeline: MaskPipeline, method: str, processes: int) -> Iterator[FrameResult]:
    """The results, in the order of the pictures."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(processes, context, initializer=start, initargs=(pipeline,)) as pool:
        yield from pool.map(look, pictures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--start", default="spawn", choices=multiprocessing.get_all_start_methods())
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    # A thread for each process: they share the CPUs already.
    for one in results(options.pictures, MaskPipeline(threads=1), options.start, options.processes):
        print(json.dumps(one.to_dict()))
