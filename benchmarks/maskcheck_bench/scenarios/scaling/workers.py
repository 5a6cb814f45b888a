"""Processes that stream pictures when they are told to, each on CPUs of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection

from maskcheck import MaskCheckError, MaskPipeline

CAN_PIN = sys.platform == "linux"
"""Whether a process can be kept to some CPUs here; elsewhere, the runtime and OpenCV would not heed it."""

_WARMUP = 4  # pictures


class WorkerFailed(MaskCheckError):
    """A process of a scenario ended before its work was done."""


class Worker:
    """A process that streams pictures through a pipeline of its own; :func:`start_workers` makes it.

    Args:
        pipeline: What to make it like.
        pictures: Files.
        cpus: Numbers of the CPUs that it may use; its pipeline takes its threads from them, unless told a number.
    """

    def __init__(self, pipeline: MaskPipeline, pictures: Sequence[str], cpus: Collection[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, pipeline, pictures), daemon=True)
        with _kept_to(cpus):
            self._process.start()  # inherits the CPUs, before anything in it counts them
        theirs.close()

    def begin(self) -> None:
        """Have it stream all pictures once."""
        self._connection.send(True)

    def wait(self) -> None:
        """Wait until it has done so; at first, until its pipeline is loaded and warm.

        Raises:
            WorkerFailed: It ended instead; standard error tells why.
        """
        try:
            self._connection.recv()
        except EOFError:
            self.close()
            raise WorkerFailed(f"a worker process ended with status {self._process.exitcode}") from None

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._process.join()


@contextmanager
def start_workers(
    pipeline: MaskPipeline, pictures: Sequence[str], cpus: Iterable[Collection[int]]
) -> Iterator[list[Worker]]:
    """A worker for each set of CPUs, all of them ready; they are ended in the end.

    Raises:
        WorkerFailed: One did not become ready.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(Worker(pipeline, pictures, own))) for own in cpus]
        for worker in workers:
            worker.wait()
        yield workers


def stream_together(workers: Sequence[Worker]) -> None:
    """Have workers stream all their pictures once, at the same time."""
    for worker in workers:
        worker.begin()
    for worker in workers:
        worker.wait()


def _serve(connection: Connection, pipeline: MaskPipeline, pictures: Sequence[str]) -> None:
    todo = pictures[:_WARMUP]
    while True:
        for result in pipeline.stream(todo):
            del result
        try:
            connection.send(True)
            connection.recv()
        except (EOFError, OSError):  # closed: there is no more to do
            return
        todo = pictures


@contextmanager
def _kept_to(cpus: Collection[int]) -> Iterator[None]:
    assert sys.platform == "linux"
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
