"""Frames in, results out, in order, while threads work on the next frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue
from time import monotonic

from maskcheck.engine.ending import GRACE, Interruption
from maskcheck.engine.preparation import Preparation
from maskcheck.engine.runner import Runner, Ticket
from maskcheck.results import FrameResult

_POLL = 0.25  # seconds after which a wait looks around; on Windows, Ctrl-C does not end a wait
_MOST_KEPT = 256_000_000  # bytes of decoded pictures that wait for their results


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
    changes: SimpleQueue[None] = SimpleQueue()
    runner = make_runner(lambda: changes.put(None))
    pending: deque[Ticket] = deque()
    source = iter(frames)
    exhausted = False
    failure: BaseException | None = None
    try:
        while not exhausted or pending:
            try:
                if not exhausted and interruption.deadline is not None:
                    exhausted = True
                if interruption.deadline is not None:
                    runner.hurry()
                ready = bool(pending) and pending[0].done
                if not ready and not exhausted and len(pending) < ahead and _has_room(runner, pending):
                    runner.source_awaited(True)
                    try:
                        ticket = Ticket(next(source))
                    except StopIteration:
                        exhausted = True
                    except KeyboardInterrupt:
                        exhausted = True
                        raise
                    except BaseException as error:  # raised after the results of what came before
                        exhausted = True
                        failure = error if failure is None else failure
                    else:
                        runner.source_awaited(False)
                        pending.append(ticket)
                        runner.submit(ticket)
                        del ticket
                    if exhausted:
                        runner.no_more()
                    continue
                if not ready:
                    if not pending:
                        continue
                    if interruption.deadline is not None and monotonic() >= interruption.deadline:
                        break
                    if not exhausted:
                        runner.source_awaited(True)  # no frame follows before a result is given
                    _wait(changes, interruption.deadline)
                    continue
            except KeyboardInterrupt as error:
                if interruption.error not in (None, error):  # the second time
                    raise
                interruption.begin(error)
                continue
            if not exhausted:
                runner.source_awaited(False)
            yield pending.popleft().result()
    finally:
        runner.close(GRACE if interruption.deadline is None else 0.1)  # after Ctrl-C, they have had their moment
    failure = interruption.error if failure is None else failure
    if failure is not None:
        try:
            raise failure
        finally:
            del failure, interruption  # the traceback leads back to them


def _has_room(runner: Runner, pending: deque[Ticket]) -> bool:
    if runner.unprepared >= runner.most_unprepared:
        return False
    kept = sum(ticket.kept_bytes for ticket in pending)
    return kept < _MOST_KEPT


def _wait(changes: SimpleQueue[None], deadline: float | None) -> None:
    """Until something changed, or for a while."""
    seconds = _POLL if deadline is None else min(_POLL, max(deadline - monotonic(), 0))
    try:
        changes.get(timeout=seconds)
    except Empty:
        return
