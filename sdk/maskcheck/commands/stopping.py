"""Ctrl-C and the request to end, in a run over many pictures: what is done is kept, and the end comes soon."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Semaphore, Thread, current_thread, main_thread
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

from maskcheck.commands.exits import INTERRUPTED, TERMINATED
from maskcheck.errors import MaskCheckError

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRACE = 5.0
"""Seconds that pictures in work have to finish after the first request to stop; a second request ends the wait."""
_WAIT = 0.2 if os.name == "nt" else None  # Windows does not interrupt a wait without a limit
_HELD = 64  # most results that wait to be used


class Stoppable(Generic[Item, Result]):
    """Results of a stream, which a signal can stop at any time, even where native code hangs.

    The stream runs in a thread of its own, so that the main thread is always there to end the process. While the
    context is open, the first SIGINT (Ctrl-C) or SIGTERM ends the supply of items; what was begun is finished, for
    some seconds. A second one ends the wait, a third one the process.

    Args:
        stream: Makes the iterator of results from one of items.
        items: What to work on.
        on_stop: Called when the first signal has come, in the main thread.
    """

    def __init__(
        self,
        stream: Callable[[Iterator[Item]], Iterator[Result]],
        items: Iterable[Item],
        *,
        on_stop: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._items = items
        self._on_stop = on_stop
        self._stopping = Event()
        self._signals: list[int] = []
        self._room = Semaphore(_HELD)
        self._queue: SimpleQueue[tuple[str, Any]] = SimpleQueue()  # its put may be called in a signal handler
        self._thread = Thread(target=self._pull, name="maskcheck-stream", daemon=True)
        self._previous: dict[int, Any] = {}

    @property
    def status(self) -> int | None:
        """The exit status that a signal asked for; None if none came."""
        if not self._signals:
            return None
        return INTERRUPTED if self._signals[0] == signal.SIGINT else TERMINATED

    @property
    def hangs(self) -> bool:
        """Whether the stream did not end in time: only the end of the process ends it."""
        return self._thread.is_alive()

    def __enter__(self) -> Stoppable[Item, Result]:
        if current_thread() is main_thread():  # Python allows no other to do this
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            for _ in range(2 * _HELD):  # let it run to its end, if it can
                self._room.release()
            self._thread.join(0 if self._signals else _GRACE)
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def __iter__(self) -> Iterator[Result]:
        """The results, in order.

        Raises:
            Exception: What the stream raised, after the results before it.
        """
        self._thread.start()
        deadline: float | None = None
        while True:
            wait = _WAIT if deadline is None else max(0.0, deadline - monotonic())
            try:
                kind, value = self._queue.get(timeout=wait)
            except Empty:
                if wait == 0:
                    return
                continue
            if kind == "result":
                self._room.release()
                yield value
            elif kind == "signal":
                if deadline is None:
                    self._on_stop()
                deadline = monotonic() + (_GRACE if value == 1 else 0)
            elif kind == "error":
                if not isinstance(value, Exception):  # SystemExit, say: a library must not end the run in silence
                    raise MaskCheckError(f"the run was ended by {type(value).__name__}: {value}") from value
                raise value
            else:
                self._thread.join()
                return

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)
        self._stopping.set()
        if len(self._signals) > 2:
            os._exit(self.status or INTERRUPTED)
        self._queue.put(("signal", len(self._signals)))

    def _supply(self) -> Iterator[Item]:
        for item in self._items:
            if self._stopping.is_set():
                return
            yield item

    def _pull(self) -> None:
        try:
            for result in self._stream(self._supply()):
                self._room.acquire()
                self._queue.put(("result", result))
        except BaseException as error:  # the main thread raises it
            self._queue.put(("error", error))
        else:
            self._queue.put(("end", None))


def end_process(status: int) -> None:
    """End the process at once, with what was printed: for where a thread hangs in native code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                continue
    os._exit(status)
