"""The SDK in a pool of processes. Each process loads the models once; the output is a line of JSON for each picture.

Usage: python examples/process_pool.py [--start spawn|fork|forkserver] [--processes N] PICTURE ...

Threads are enough for most programs. Processes help programs that have them anyway, or whose other work holds Python's
global lock. A pipeline is pickled as its configuration, and each process loads its own models, also after a fork.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from maskcheck import FrameResult, MaskPipeline

_pipeline: MaskPipeline  # in each process of the pool


def initialize(pipeline: MaskPipeline) -> None:
    """Keep the pipeline in this process of the pool, and load its models before the first picture."""
    global _pipeline
    pipeline.warm_up()
    _pipeline = pipeline


def process(picture: str) -> FrameResult:
    """The result of a picture. If the picture cannot be read, the result holds the error."""
    (result,) = _pipeline.finish([_pipeline.prepare(picture)])
    return result


def results(pictures: Sequence[str], pipeline: MaskPipeline, method: str, processes: int) -> Iterator[FrameResult]:
    """The results, in the order of the pictures."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(processes, context, initializer=initialize, initargs=(pipeline,)) as pool:
        yield from pool.map(process, pictures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--start", default="spawn", choices=multiprocessing.get_all_start_methods())
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    # One thread in each process: the processes share the CPUs.
    for result in results(options.pictures, MaskPipeline(threads=1), options.start, options.processes):
        print(json.dumps(result.to_dict()))
