"""A worker process, as its parent sees it."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from time import monotonic

from maskcheck.engine.processes.task import Task, Ticket
from maskcheck.engine.processes.worker_main import READY, run_worker

_AHEAD = 2  # tasks of a worker: one that it works on, and one that waits in the pipe
_SMALL = 16_000  # bytes of a task that fits into the pipe while the worker is at work
_ENDING = 1.0  # seconds that an idle worker may take to end, before it is killed


class Worker:
    """A process that labels pictures, for :class:`Task` after :class:`Task`.

    Args:
        pipeline: The pipeline, pickled.
        workers: How many processes share the CPUs.
        keep_images: Whether results hold the decoded picture.

    Attributes:
        tasks: What it was given, and has not answered; it works on the first.
        is_ready: Whether it has loaded its models.
    """

    def __init__(self, pipeline: bytes, workers: int, keep_images: bool) -> None:
        # Not forked: sessions and threads of ONNX Runtime do not survive that.
        context = multiprocessing.get_context("spawn")
        self.tasks: deque[Task] = deque()
        self.is_ready = False
        self._begun = 0.0
        self._ended = False
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=run_worker, args=(theirs, pipeline, workers, keep_images), name="maskcheck worker", daemon=True
        )
        with _without_interrupt():
            self._process.start()
        theirs.close()

    @property
    def sentinel(self) -> int:
        """Becomes ready, for ``multiprocessing.connection.wait``, when the process has ended."""
        return self._process.sentinel

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit status, or the negative number of the signal that ended it."""
        return self._process.exitcode

    def wants(self, task: Task) -> bool:
        """Whether it may be given a task without a wait for it to end another one."""
        if not self.is_ready or self._ended:
            return False
        return not self.tasks or (len(self.tasks) < _AHEAD and task.size < _SMALL)

    def give(self, task: Task) -> None:
        """Give it a task."""
        if not self.tasks:
            self._begun = monotonic()
        self.tasks.append(task)
        with suppress(OSError):  # it has died: its sentinel says so
            self.connection.send([ticket.payload for ticket in task.tickets])

    def read(self) -> Ticket | None:
        """Take the next result, if there is one: it is in the ticket that is returned.

        Raises:
            Exception: It could not load its models, or what ended the work on a task.
        """
        try:
            if self._ended or not self.connection.poll():
                return None
            answer = self.connection.recv()
        except (EOFError, OSError):  # it has died: its sentinel says so
            return None
        if isinstance(answer, Exception):
            raise answer
        if not self.is_ready:
            assert answer == READY
            self.is_ready = True
            return None
        task = self.tasks[0]
        ticket = task.tickets.popleft()
        ticket.result = answer
        self._begun = monotonic()
        if not task.tickets:
            self.tasks.popleft()
        return ticket

    def has(self, ticket: Ticket) -> bool:
        """Whether it works on a picture, or will do so."""
        return any(ticket in task.tickets for task in self.tasks)

    def has_ended(self) -> bool:
        """Whether the process has ended; then it is waited for."""
        return not self._process.is_alive()

    def is_overdue(self, timeout: float) -> bool:
        """Whether the task that it works on takes too long; not if it waits for somebody to read a result."""
        return bool(self.tasks) and monotonic() >= self._begun + timeout and not self._has_written()

    def seconds_left(self, timeout: float) -> float:
        """Until :meth:`is_overdue`."""
        return max(0.0, self._begun + timeout - monotonic())

    def _has_written(self) -> bool:
        try:
            return self.connection.poll()
        except OSError:
            return False

    def kill(self) -> None:
        """End the process at once."""
        self._ended = True
        self._process.kill()
        self._process.join()
        self.connection.close()

    def close(self) -> None:
        """Let an idle process end, and kill one at work."""
        if not self._ended:
            self.connection.close()  # its next read ends it
            if not self.tasks and self.is_ready:
                self._process.join(_ENDING)
            self.kill()


def wait_for(workers: Iterable[Worker], readable: Iterable[Worker], seconds: float) -> None:
    """Wait until one of some workers answers, or any ends, or for so many seconds."""
    things: list[Connection | int] = [worker.sentinel for worker in workers]
    multiprocessing.connection.wait([*things, *(worker.connection for worker in readable)], seconds)


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach, until it has said so itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # when it starts that, it lets the signal through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
