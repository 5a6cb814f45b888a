"""Threads that prepare frames, and one that finishes what is prepared, in batches that frames share.

The threads are daemons, so one that is stuck holds up neither Ctrl-C nor the end of the program; ``concurrent.futures``
would wait for it for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol

from maskcheck.engine.ending import leave, register, unregister
from maskcheck.engine.preparation import Preparation, Preparer
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.errors import PictureTimeout
from maskcheck.log import LOGGER
from maskcheck.results import FrameResult

_PAUSE = 0.01  # seconds without a new frame after which a source counts as one that pauses
_WATCH = 0.05  # seconds after which a time limit is looked at, at the latest
_ENOUGH = 8  # faces for which the classifier does not let a caller wait: larger batches gain little, and cost time

_WAKE = object()
_END = object()


class FrameEngine(Protocol):
    """Prepares frames in several threads, and finishes them in one; with one thread, all come in order."""

    @property
    def preparer(self) -> Preparer:
        """The first half, with its limits."""

    def prepare(self, preparations: Sequence[Preparation]) -> list[PreparedFrame]:
        """Decode frames, find their faces and cut them out."""

    def finish(self, frames: Sequence[PreparedFrame]) -> list[FrameResult]:
        """Label the faces of prepared frames."""


class Ticket:
    """A frame that was handed in, and what comes of it.

    Attributes:
        preparation: The frame at work.
        prepared: What the first half made of it.
        prepared_at: When that was, by ``monotonic``.
        done: Whether there is a result, or an exception in its place.
    """

    def __init__(self, preparation: Preparation) -> None:
        self.preparation = preparation
        self.prepared: PreparedFrame | None = None
        self.prepared_at = 0.0
        self.done = False
        self._result: FrameResult | None = None
        self._exception: BaseException | None = None

    def wanted(self) -> bool:
        """Whether somebody still waits for it; asked once, before the work begins."""
        return True

    @property
    def held_bytes(self) -> int:
        """Bytes of the pixels that it holds: those that were handed in, or those that the result is to hold."""
        prepared, result = self.prepared, self._result
        if result is not None:
            return 0 if result.image is None else result.image.nbytes
        if prepared is not None:
            return prepared.nbytes if prepared.keep_image else 0
        return self.preparation.held_bytes

    def finish(self, result: FrameResult | None, exception: BaseException | None = None) -> None:
        """Set the result, or the exception in its place."""
        self._result, self._exception, self.prepared = result, exception, None
        self.done = True

    def result(self) -> FrameResult:
        """The result.

        Raises:
            BaseException: What was raised in its place.
        """
        if self._exception is not None:
            raise self._exception
        assert self._result is not None
        return self._result


class Runner:
    """Works on frames that are handed in from any thread; the faces of frames that come together share batches.

    A batch goes to the classifier when it is full, when its first frame has waited for `max_wait`, or when nothing
    else is on its way: every frame that was handed in is prepared, and the source gives no other one at once. With
    `prompt`, frames that threads work on count as no longer on their way: only a queue before the threads makes a batch
    wait, and only for a few faces. While faces enough for another batch wait, no frame is prepared: that bounds what
    waits, in memory and in time.

    Args:
        engine: Does the work.
        workers: Threads that prepare frames, 1 or more.
        batch_size: Most faces, and most frames, of a batch.
        max_wait: Most seconds that a prepared frame waits for others.
        prompt: Whether a caller waits for each frame by itself, so that its time counts more than full batches.
        timeout: Seconds that a frame may take to be prepared. A thread that takes longer is left alone, and another one
            takes its place.
        on_change: Called by the threads after each frame that is prepared and each batch that is finished.
        on_batch: Called by the thread that finishes a batch, with its frames that have no error, and their faces.
    """

    def __init__(
        self,
        engine: FrameEngine,
        *,
        workers: int,
        batch_size: int,
        max_wait: float,
        prompt: bool = False,
        timeout: float | None = None,
        on_change: Callable[[], object] = lambda: None,
        on_batch: Callable[[int, int], object] | None = None,
    ) -> None:
        self._engine = engine
        self._worker_count = workers
        self._batch_size = batch_size
        self._prompt = prompt
        self._enough = min(_ENOUGH, batch_size) if prompt else batch_size
        self._most_waiting = min(2 * self._enough, batch_size)
        self._max_wait = max_wait
        self._timeout = timeout
        self._on_change = on_change
        self._on_batch = on_batch
        # With a time limit, each frame has its own: none waits in a call for others.
        self._group = 1 if timeout is not None else min(engine.preparer.batch_size, batch_size)
        self._handed_in: SimpleQueue[Ticket | None] = SimpleQueue()
        self._prepared: SimpleQueue[object] = SimpleQueue()
        self._waiting = 0  # faces, or frames without any, that are prepared and not yet with the classifier
        self._relief = threading.Condition()  # for the threads alone: Ctrl-C must not meet the caller in it
        self._lock = threading.Lock()
        self._on_their_way = 0
        self._workers: list[_Worker] = []
        self._finisher: threading.Thread | None = None
        self._source_awaited_since: float | None = 0.0  # always: nobody says when the next frame comes
        self._pause = 0.0
        self._hurried = False
        self._closed = False
        register(self)

    @property
    def unprepared(self) -> int:
        """Frames that were handed in and are not prepared."""
        return self._on_their_way

    @property
    def most_unprepared(self) -> int:
        """Frames that keep all its threads at work."""
        return 2 * self._worker_count * self._group

    def submit(self, ticket: Ticket) -> None:
        """Hand in a frame; returns at once."""
        with self._lock:
            first = self._on_their_way == 0
            self._on_their_way += 1
        self._handed_in.put(ticket)
        if first and self._timeout is not None:
            self._prepared.put(_WAKE)  # from now on the finisher looks at the time
        if len(self._workers) < self._worker_count or self._finisher is None:
            self._start()

    def source_awaited(self, awaited: bool) -> None:
        """Say whether the caller now waits for its source; batches then wait for frames only while it does not."""
        self._pause = _PAUSE
        self._source_awaited_since = monotonic() if awaited else None

    def no_more(self) -> None:
        """Say that no frame follows: what is prepared need not wait for others."""
        self._pause, self._source_awaited_since = 0.0, 0.0
        self._prepared.put(_WAKE)

    def hurry(self) -> None:
        """Finish what is prepared at once, whatever else is on its way."""
        self._hurried = True
        self._prepared.put(_WAKE)

    def drain(self) -> None:
        """Finish all that was handed in, and end the threads; waits as long as that takes."""
        self.no_more()
        for _ in range(self._worker_count):  # also for one that is just taking the place of another
            self._handed_in.put(None)
        while alive := [worker for worker in list(self._workers) if worker.thread.is_alive()]:
            alive[0].thread.join(_WATCH)  # another one may take its place meanwhile
        self._prepared.put(_END)
        if self._finisher is not None:
            self._finisher.join()

    def close(self, grace: float) -> None:
        """Drop what has not begun, and end the threads; one that is at work longer than `grace` ends by itself."""
        unregister(self)
        self._closed = True
        with suppress(Empty):
            while True:
                self._handed_in.get_nowait()
        for _ in range(self._worker_count):  # also for one that is just taking the place of another
            self._handed_in.put(None)
        self._prepared.put(_END)
        threads = [worker.thread for worker in self._workers]
        if self._finisher is not None:
            threads.append(self._finisher)
        deadline = monotonic() + grace
        try:
            for thread in threads:
                if thread is not threading.current_thread():  # a worker may collect another iterator as garbage
                    thread.join(max(deadline - monotonic(), 0))
        finally:
            for thread in threads:
                if thread.is_alive():
                    leave(thread)

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._finisher is None:
                finisher = threading.Thread(target=self._finish_batches, name="maskcheck", daemon=True)
                start_thread(finisher)
                self._finisher = finisher
            if len(self._workers) < self._worker_count:
                try:
                    self._workers.append(_Worker(self))
                except RuntimeError:  # no more threads on this system: the others do it
                    if not self._workers:
                        raise

    def take(self) -> list[Ticket]:
        """Frames for a worker, once there are some and those that wait leave room; empty at the end."""
        with self._relief:
            while self._waiting >= self._most_waiting and not self._closed:
                self._relief.wait(_WATCH)
        first = self._handed_in.get()
        if first is None:
            return []
        tickets = [first]
        with suppress(Empty):
            while len(tickets) < self._group:
                following = self._handed_in.get_nowait()
                if following is None:
                    self._handed_in.put(None)
                    break
                tickets.append(following)
        if self._prompt and self._handed_in.empty():
            self._prepared.put(_WAKE)  # what is prepared need not wait for these
        return tickets

    def prepare(self, tickets: Sequence[Ticket]) -> Sequence[PreparedFrame] | BaseException:
        """What becomes of frames; never raises."""
        try:
            return self._engine.prepare([ticket.preparation for ticket in tickets])
        except BaseException as error:  # KeyboardInterrupt, say, of a detector: raised where the result is asked for
            return error

    def deliver(self, worker: _Worker, outcome: Sequence[PreparedFrame] | BaseException) -> bool:
        """Take what a worker made; False if it took too long, and nobody wants it any more."""
        with self._lock:
            tickets, worker.tickets, worker.begun = worker.tickets, (), None
            if worker.abandoned:
                return False
            self._on_their_way -= len(tickets)
            if not isinstance(outcome, BaseException):
                with self._relief:
                    self._waiting += sum(map(_size, outcome))
                for ticket, prepared in zip(tickets, outcome, strict=True):
                    ticket.prepared, ticket.prepared_at = prepared, monotonic()
                    self._prepared.put(ticket)
        if isinstance(outcome, BaseException):
            for ticket in tickets:
                ticket.finish(None, outcome)
            self._prepared.put(_WAKE)
        self._on_change()
        return True

    def drop(self, tickets: Sequence[Ticket]) -> None:
        """Nobody waits for these any more."""
        with self._lock:
            self._on_their_way -= len(tickets)
        self._prepared.put(_WAKE)

    def _finish_batches(self) -> None:
        held: list[Ticket] = []
        since = 0.0
        while True:
            item: object = None
            with suppress(Empty):
                item = self._prepared.get(timeout=self._patience(held, since))
            if item is _END:
                if held and not self._closed:
                    self._finish(held)
                return
            if isinstance(item, Ticket):
                if not held:
                    since = monotonic()
                held.append(item)
            del item
            if self._timeout is not None:
                self._abandon_overdue(self._timeout)
            if held and self._is_due(held, since):
                self._finish(held)
                held = []

    def _patience(self, held: Sequence[Ticket], since: float) -> float | None:
        """Seconds after which something is to be looked at, even if nothing comes; None for never."""
        waits = [_WATCH] if self._timeout is not None and self._on_their_way else []
        if held:
            waits.append(max(since + self._max_wait - monotonic(), 0))
            if not self._others_come():
                waits.append(self._pause)
        return min(waits, default=None)

    def _is_due(self, held: Sequence[Ticket], since: float) -> bool:
        size = sum(_size(ticket.prepared) for ticket in held if ticket.prepared is not None)
        if size >= self._batch_size or self._hurried or monotonic() >= since + self._max_wait:
            return True
        if not self._prepared.empty():
            return False
        awaited = self._source_awaited_since
        paused = awaited is not None and monotonic() >= awaited + self._pause
        return size >= self._enough or (paused and not self._others_come())

    def _others_come(self) -> bool:
        """Whether frames are on their way for which a batch waits."""
        return not self._handed_in.empty() if self._prompt else self._on_their_way > 0

    def _finish(self, tickets: Sequence[Ticket]) -> None:
        started = monotonic()
        frames = [
            replace(prepared, timings=replace(prepared.timings, wait=(started - ticket.prepared_at) * 1000))
            for ticket in tickets
            if (prepared := ticket.prepared) is not None
        ]
        with self._relief:
            self._waiting -= sum(map(_size, frames))
            self._relief.notify_all()
        try:
            results = self._engine.finish(frames)
        except BaseException as error:  # raised where the results are asked for
            for ticket in tickets:
                ticket.finish(None, error)
        else:
            self._tell_of_batch(frames, monotonic() - started)
            for ticket, result in zip(tickets, results, strict=True):
                ticket.finish(result)
        self._on_change()

    def _tell_of_batch(self, frames: Sequence[PreparedFrame], seconds: float) -> None:
        pictures = sum(frame.error is None for frame in frames)
        faces = sum(map(len, frames))
        LOGGER.debug("batch of %d frames, %d faces: %.1f ms", pictures, faces, seconds * 1000)
        if self._on_batch is not None and pictures:
            try:
                self._on_batch(pictures, faces)
            except Exception:  # this thread must go on
                LOGGER.exception("on_batch failed")

    def _abandon_overdue(self, timeout: float) -> None:
        """Give up frames that take too long, and put other threads in the place of theirs."""
        overdue: list[Ticket] = []
        with self._lock:
            now = monotonic()
            for worker in list(self._workers):
                if worker.begun is not None and now >= worker.begun + timeout:
                    worker.abandoned = True
                    overdue += worker.tickets
                    self._workers.remove(worker)
                    leave(worker.thread)
            self._on_their_way -= len(overdue)
        for ticket in overdue:
            preparation = ticket.preparation
            source = preparation.frame.source
            doing = "decoded" if preparation.size == (0, 0) else f"searched for faces by detector {self._detector}"
            error = PictureTimeout(
                f"{source or 'the picture'} took longer than {timeout:g} s to be {doing}; raise timeout to allow it",
                source=source,
                timeout=timeout,
            )
            LOGGER.warning("%s", error)
            (result,) = self._engine.finish([preparation.failed(error)])
            ticket.finish(result)
            self._start()
        if overdue:
            self._on_change()

    @property
    def _detector(self) -> str:
        return self._engine.preparer.name


class _Worker:
    """A thread that prepares frames, and what it is at."""

    def __init__(self, runner: Runner) -> None:
        self.tickets: Sequence[Ticket] = ()
        self.begun: float | None = None
        self.abandoned = False
        self.thread = threading.Thread(target=self._work, args=(runner,), name="maskcheck", daemon=True)
        start_thread(self.thread)

    def _work(self, runner: Runner) -> None:
        while taken := runner.take():
            wanted = [ticket for ticket in taken if ticket.wanted()]
            unwanted = [ticket for ticket in taken if ticket not in wanted]
            if unwanted:
                runner.drop(unwanted)
            if not wanted:
                continue
            self.tickets, self.begun = wanted, monotonic()
            outcome = runner.prepare(wanted)
            del taken, wanted, unwanted  # they hold pictures
            if not runner.deliver(self, outcome):
                return
            del outcome


def _size(frame: PreparedFrame) -> int:
    """What a frame adds to a batch: its faces, and a frame without any as much as one face."""
    return max(frame.unlabelled, 1)


def start_thread(thread: threading.Thread) -> None:
    """Start a thread; Ctrl-C meanwhile is raised as such, and not as the RuntimeError that it may become."""
    try:
        thread.start()
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
