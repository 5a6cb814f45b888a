"""Frames in, results out, in order, while threads work on the next frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from maskcheck.engine.ending import GRACE, Interruption
from maskcheck.engine.preparation import Preparation
from maskcheck.engine.runner import Runner, Ticket
from maskcheck.results import FrameResult

_POLL = 0.25  # seconds after which a wait looks around; on Windows, Ctrl-C does not end a wait
_MOST_HELD = 256_000_000  # bytes of pixels that wait for their results


def stream_in_order(
    frames: Iterable[Preparation],
    make_runner: Callable[[Callable[[], object]], Runner],
    *,
    ahead: int,
    interruption: Interruption,
) -> Generator[FrameResult, None, None]:
    """Results of frames, in order.

    Frames are taken in the thread that asks for results. When the iterator is closed, what has not begun is dropped and
    its threads end; one that is at work for longer than a moment is left to end by itself. If `frames` raises, the
    results of what came before are given first; on Ctrl-C, of those what is finished.

    Args:
        frames: The frames.
        make_runner: Makes what works on them, given what it calls after each change.
        ahead: Most frames that are taken and not yet given back as results, 1 or more; with 1, no frame is taken before
            the last result was used.
        interruption: The wish that it ends early.
    """
    stream = _Stream(frames, make_runner, ahead, interruption)
    try:
        ticket: Ticket | None = None  # a statement here puts the jump to the loop's start under `finally`, too
        while True:
            try:
                ticket = stream.next_ready()
            except KeyboardInterrupt as error:
                if interruption.error not in (None, error):  # the second time
                    raise
                interruption.begin(error)
                continue
            if ticket is None:
                break
            yield ticket.result()
    finally:
        stream.close()
    failure = interruption.error if stream.failure is None else stream.failure
    if failure is not None:
        try:
            raise failure
        finally:
            del failure, interruption, stream  # the traceback leads back to them


class _Stream:
    """The frames that were taken and not yet given back as results.

    Attributes:
        failure: What `frames` raised; to be raised after the results of what came before.
    """

    def __init__(
        self,
        frames: Iterable[Preparation],
        make_runner: Callable[[Callable[[], object]], Runner],
        ahead: int,
        interruption: Interruption,
    ) -> None:
        self.failure: BaseException | None = None
        self._source = iter(frames)
        self._exhausted = False
        self._pending: deque[Ticket] = deque()
        self._ahead = ahead
        self._interruption = interruption
        self._changes: SimpleQueue[None] = SimpleQueue()
        self._runner = make_runner(partial(self._changes.put, None))

    def next_ready(self) -> Ticket | None:
        """The next frame, once it is done; frames are taken meanwhile. None at the end.

        Raises:
            KeyboardInterrupt: Ctrl-C; the next call goes on.
        """
        while True:
            if self._interruption.deadline is not None:
                self._exhausted = True
                self._runner.hurry()
            if self._pending and self._pending[0].done:
                if not self._exhausted:
                    self._runner.source_awaited(False)  # but the user of the results
                return self._pending.popleft()
            if not self._exhausted and len(self._pending) < self._ahead and self._has_room():
                self._take()
            elif not self._pending or not self._wait():
                return None

    def close(self) -> None:
        """End the threads."""
        # After Ctrl-C, they have had their moment.
        self._runner.close(GRACE if self._interruption.deadline is None else 0.1)

    def _take(self) -> None:
        """Take a frame from the source, and hand it in."""
        self._runner.source_awaited(True)
        try:
            ticket = Ticket(next(self._source))
        except StopIteration:
            self._exhausted = True
        except KeyboardInterrupt:
            self._exhausted = True
            raise
        except BaseException as error:
            self._exhausted = True
            self.failure = error
        else:
            self._runner.source_awaited(False)
            self._pending.append(ticket)
            self._runner.submit(ticket)
        if self._exhausted:
            self._runner.no_more()

    def _has_room(self) -> bool:
        if self._runner.unprepared >= self._runner.most_unprepared:
            return False
        return sum(ticket.held_bytes for ticket in self._pending) < _MOST_HELD

    def _wait(self) -> bool:
        """Wait until something changed, or for a while; False if nobody waits any longer."""
        seconds, deadline = _POLL, self._interruption.deadline
        if deadline is not None:
            seconds = min(_POLL, deadline - monotonic())
            if seconds <= 0:
                return False
        if not self._exhausted:
            self._runner.source_awaited(True)  # no frame follows before a result is given
        with suppress(Empty):
            self._changes.get(timeout=seconds)
        return True
