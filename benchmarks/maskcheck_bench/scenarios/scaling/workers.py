"""Processes that stream pictures on demand, each on its own CPUs."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck_bench.measuring.streams import exhaust

_WARMUP = 4  # pictures


class WorkerFailed(MaskCheckError):
    """A worker ended before its work was done."""


class Worker:
    """A process that streams pictures through its own pipeline; :func:`start_workers` starts it.

    Args:
        pipeline: The worker gets a copy of it.
        pictures: Files.
        cpus: Numbers of the CPUs that it may use; its pipeline uses as many threads, unless a number was set.
    """

    def __init__(self, pipeline: MaskPipeline, pictures: Sequence[str], cpus: Collection[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, pipeline, pictures), daemon=True)
        with _kept_on(cpus):
            self._process.start()  # inherits the CPUs, before anything in it counts them
        theirs.close()

    def begin(self) -> None:
        """Start to stream all pictures once."""
        self._connection.send(True)

    def wait(self) -> None:
        """Wait until all pictures are streamed; the first time, until the pipeline is loaded and warm.

        Raises:
            WorkerFailed: The process ended; its standard error says why.
        """
        try:
            self._connection.recv()
        except EOFError:
            self.close()
            raise WorkerFailed(f"a worker process ended with status {self._process.exitcode}") from None

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


@contextmanager
def start_workers(
    pipeline: MaskPipeline, pictures: Sequence[str], cpus: Iterable[Collection[int]]
) -> Iterator[list[Worker]]:
    """Start a worker for each set of CPUs, and wait until all are ready; they end with the context.

    Raises:
        WorkerFailed: A worker ended before it was ready.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(Worker(pipeline, pictures, worker_cpus))) for worker_cpus in cpus]
        for worker in workers:
            worker.wait()
        yield workers


def stream_together(workers: Sequence[Worker]) -> None:
    """Let workers stream all their pictures once, at the same time."""
    for worker in workers:
        worker.begin()
    for worker in workers:
        worker.wait()


def _serve(connection: Connection, pipeline: MaskPipeline, pictures: Sequence[str]) -> None:
    next_pictures = pictures[:_WARMUP]
    while True:
        exhaust(pipeline.stream(next_pictures))
        try:
            connection.send(True)
            connection.recv()
        except (EOFError, OSError):  # closed: all work is done
            return
        next_pictures = pictures


@contextmanager
def _kept_on(cpus: Collection[int]) -> Iterator[None]:
    assert sys.platform == "linux"
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
