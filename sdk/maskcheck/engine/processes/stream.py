"""Results of many pictures in order, from worker processes: for one stream, or for several."""

from __future__ import annotations

import pickle
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from maskcheck.engine.ending import Interruption
from maskcheck.engine.processes.task import Task, Ticket
from maskcheck.engine.processes.worker import Worker, wait_for
from maskcheck.errors import MaskCheckError, PictureTimeout, WorkerDied
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pictures.decoding import ImageLike
from maskcheck.results import FrameResult

_POLL = 0.25  # seconds after which a wait looks around
_MOST_HELD = 256_000_000  # bytes of pixels of results that wait for an earlier one
_GROUP = 8  # pictures that a worker gets together: their faces share batches
_MOST_FAILED_STARTS = 3  # of processes one after the other
_AHEAD = 4  # groups for each worker that are taken and not yet given back as results


class Picklable(Protocol):
    """A pipeline that can be pickled as its configuration."""

    timeout: float | None

    def stream(self, frames: Iterable[ImageLike | Frame], *, keep_images: bool = ...) -> Iterator[FrameResult]:
        """Find and classify the faces of many pictures, in order."""

    def warm_up(self) -> None:
        """Load what it needs."""


def stream_in_processes(
    pipeline: Picklable,
    frames: Iterable[ImageLike | Frame],
    *,
    workers: int,
    stop: threading.Event | None = None,
    keep_images: bool = False,
    timeout: float | None = None,
    group: int = _GROUP,
) -> Generator[FrameResult, None, None]:
    """Find and classify the faces of many pictures in processes, in order, as ``MaskPipeline.stream`` does in threads.

    Each process has its own copy of the pipeline, and its part of the CPUs, unless the pipeline says how many threads
    there are. One that dies (a crash of native code, or the system's lack of memory) is replaced. What it was working
    on is tried again, picture by picture; a picture with which a second process dies gets a result with the error
    :class:`WorkerDied`. When the iterator is closed, or this process ends in whatever way, the others end.

    Programs that use it need ``if __name__ == "__main__":``, as always with ``multiprocessing``.

    Args:
        pipeline: It must be picklable: a detector that is an object must be.
        frames: Pictures, each as in a call of the pipeline. They are taken as results are asked for.
        workers: Processes, 1 or more.
        stop: Once it is set, no more pictures are taken, and the iterator ends after what is nearly finished.
        keep_images: Give each result the decoded picture; it goes through a pipe.
        timeout: Seconds that a picture may take; the process that works longer is killed, and the picture gets a result
            with :class:`PictureTimeout`. By default, that of the pipeline.
        group: Most pictures that a process gets together; with a time limit, it is one.

    Raises:
        ValueError: A number is less than 1.
        MaskCheckError: The pipeline cannot be pickled, or its models cannot be loaded.
        WorkerDied: A process ended while it loaded the models.
    """
    processes = WorkerProcesses(pipeline, workers=workers, keep_images=keep_images, timeout=timeout, group=group)
    return _closing(processes, processes.stream(frames, stop=stop))


class WorkerProcesses:
    """Processes that stay, for the pictures of one stream after the other; a context manager that ends them.

    They start with the first picture. See :func:`stream_in_processes`, which is one stream of these.

    Args:
        pipeline: As there.
        workers: Processes, 1 or more.
        keep_images: As there.
        timeout: As there.
        group: As there.
        sharing: Processes that share the CPUs of this machine, if there are more than these.

    Raises:
        ValueError: A number is less than 1.
        MaskCheckError: The pipeline cannot be pickled.
    """

    def __init__(
        self,
        pipeline: Picklable,
        *,
        workers: int,
        keep_images: bool = False,
        timeout: float | None = None,
        group: int = _GROUP,
        sharing: int | None = None,
    ) -> None:
        if workers < 1 or group < 1:
            raise ValueError(f"workers, group: expected 1 or more, got {workers} and {group}")
        timeout = pipeline.timeout if timeout is None else timeout
        try:
            pickled = pickle.dumps(pipeline)
        except Exception as error:
            raise MaskCheckError(
                f"the pipeline cannot be given to worker processes: {error}; use a detector that can be pickled, or no"
                " workers"
            ) from error
        self._group = 1 if timeout is not None else group
        self._ahead = _AHEAD * workers * self._group
        self._pool = _Pool(pickled, workers, keep_images, timeout, sharing or workers)

    @property
    def replaced(self) -> int:
        """Processes that have died or were killed for being late, so far."""
        return self._pool.replaced

    def stream(
        self, frames: Iterable[ImageLike | Frame], *, stop: threading.Event | None = None
    ) -> Generator[FrameResult, None, None]:
        """Find and classify the faces of many pictures, in order; one stream at a time.

        An iterator that is closed before its end ends the processes; the next stream starts others.

        Raises:
            MaskCheckError, WorkerDied: As :func:`stream_in_processes`.
        """
        return _results(self._pool, frames, self._group, self._ahead, Interruption(stop))

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _closing(
    processes: WorkerProcesses, results: Generator[FrameResult, None, None]
) -> Generator[FrameResult, None, None]:
    with processes:
        yield from results


def _results(
    pool: _Pool, frames: Iterable[ImageLike | Frame], group: int, ahead: int, interruption: Interruption
) -> Generator[FrameResult, None, None]:
    pending: deque[Ticket] = deque()
    source = enumerate(frames)
    failure: BaseException | None = None
    exhausted = ended = False
    try:
        while True:
            try:
                exhausted = exhausted or interruption.deadline is not None
                while not exhausted and len(pending) + group <= max(ahead, group) and pool.wants_more:
                    taken: list[Ticket] = []
                    try:
                        while len(taken) < group:
                            position, image = next(source)
                            taken.append(Ticket(Frame.of(image, position)))
                    except StopIteration:
                        exhausted = True
                    except KeyboardInterrupt:
                        exhausted = True
                        raise
                    except Exception as error:  # raised after the results of what came before
                        exhausted, failure = True, error
                    finally:
                        pending += taken
                        if taken:
                            pool.hand_in(Task(deque(taken)))
                if not pending:
                    break
                head = pending[0]
                if head.result is None:
                    deadline = interruption.deadline
                    if deadline is not None and monotonic() >= deadline:
                        break
                    held = sum(ticket.held_bytes for ticket in pending)
                    seconds = _POLL if deadline is None else min(_POLL, max(0.0, deadline - monotonic()))
                    pool.work(seconds, only=head if held > _MOST_HELD else None)
                    continue
            except KeyboardInterrupt as error:
                if interruption.error not in (None, error):  # the second time
                    raise
                interruption.begin(error)
                continue
            result = pending.popleft().result
            assert result is not None
            yield result
            del result
        ended = not pending
    finally:
        if not ended:  # what is left belongs to nobody
            pool.close()
    failure = interruption.error if failure is None else failure
    if failure is not None:
        raise failure


class _Pool:
    """The worker processes, and what waits for them."""

    def __init__(self, pipeline: bytes, count: int, keep_images: bool, timeout: float | None, sharing: int) -> None:
        self._pipeline, self._count, self._keep_images, self._timeout = pipeline, count, keep_images, timeout
        self._sharing = sharing
        self.replaced = 0
        self._workers: list[Worker] = []
        self._waiting: deque[Task] = deque()
        self._failed_starts = 0

    @property
    def wants_more(self) -> bool:
        """Whether a worker would have nothing to do soon."""
        return len(self._waiting) < self._count

    def hand_in(self, task: Task) -> None:
        """Add a task; each of the first ones starts a worker, so that there are no more of these than tasks."""
        self._waiting.append(task)
        if len(self._workers) < self._count:
            self._start()
        self._distribute()

    def work(self, seconds: float, *, only: Ticket | None) -> None:
        """Wait for answers, at most so long, and see to the workers.

        Args:
            seconds: How long.
            only: The picture whose result is read, as those that are there hold enough pixels; None for any.

        Raises:
            Exception: A worker could not load its models, or what the pipeline raised.
        """
        if self._timeout is not None:
            seconds = min([seconds, *(worker.seconds_left(self._timeout) for worker in self._workers if worker.tasks)])
        readable = [worker for worker in self._workers if only is None or not worker.is_ready or worker.has(only)]
        wait_for(self._workers, readable, seconds)
        for worker in list(self._workers):
            has_ended = worker.has_ended()  # before its last answers are read
            while (worker in readable or has_ended) and (ticket := worker.read()) is not None:
                self._failed_starts = 0
                if ticket.held_bytes and not has_ended:  # the next one only if there is room for it
                    break
            if has_ended:
                self._replace_dead(worker)
            elif self._timeout is not None and worker.is_overdue(self._timeout):
                self._replace_overdue(worker, self._timeout)
        self._distribute()

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()
        self._workers.clear()
        self._waiting.clear()

    def _start(self) -> None:
        self._workers.append(Worker(self._pipeline, self._sharing, self._keep_images))

    def _distribute(self) -> None:
        for worker in sorted(self._workers, key=lambda worker: len(worker.tasks)):
            while self._waiting and worker.wants(self._waiting[0]):
                worker.give(self._waiting.popleft())

    def _replace_dead(self, worker: Worker) -> None:
        tasks, was_ready = self._remove(worker), worker.is_ready
        how = _how(worker.exit_code)
        if not was_ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise WorkerDied(
                    f"a worker process ended while it loaded the models: {how}", source=None, exit_code=worker.exit_code
                )
        if tasks:
            guilty, *others = tasks
            self._waiting.extendleft(reversed(others))
            if guilty.again:
                (ticket,) = guilty.tickets
                error = WorkerDied(
                    f"{ticket.source or 'the picture'}: the worker process ended while it worked on it, and so did"
                    f" another one: {how}; the picture is left out",
                    source=ticket.source,
                    exit_code=worker.exit_code,
                )
                LOGGER.warning("%s", error)
                ticket.fail(error)
            else:
                LOGGER.warning("a worker process ended: %s; another one takes its place", how)
                self._waiting.extendleft(Task(deque([ticket]), again=True) for ticket in reversed(guilty.tickets))
        self._start()

    def _replace_overdue(self, worker: Worker, timeout: float) -> None:
        guilty, *others = worker.tasks
        worker.kill()
        self._remove(worker)
        self._waiting.extendleft(reversed(others))
        for ticket in guilty.tickets:
            error = PictureTimeout(
                f"{ticket.source or 'the picture'} took longer than {timeout:g} s; raise timeout to allow it",
                source=ticket.source,
                timeout=timeout,
            )
            LOGGER.warning("%s", error)
            ticket.fail(error)
        self._start()

    def _remove(self, worker: Worker) -> list[Task]:
        self.replaced += 1
        self._workers.remove(worker)
        worker.kill()
        tasks = list(worker.tasks)
        worker.tasks.clear()
        return tasks


def _how(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hints = {"SIGKILL": ", as the system does when memory runs out", "SIGSEGV": ", a crash of native code"}
    return f"{name}{hints.get(name, '')}"
