"""Ctrl-C and the request to end, in a run over many pictures: what is done is kept, and the end comes soon."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

from maskcheck.commands.exits import INTERRUPTED, TERMINATED
from maskcheck.engine.ahead import stuck_threads
from maskcheck.errors import MaskCheckError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PATIENCE = 2.0  # seconds after the first signal in which further ones change nothing: the end is near


class Stoppable(Generic[Item, Result]):
    """Results of a stream, which a signal ends soon, even where a thread of it hangs.

    While the context is open, the first SIGINT (Ctrl-C) or SIGTERM sets an event, and the stream gives what is nearly
    finished. Nothing is interrupted but a wait for the next item: neither the stream, nor whoever uses its results. A
    signal that comes two seconds later ends the process at once.

    Args:
        stream: Makes the iterator of results from one of items and the event that ends it soon, as
            :meth:`MaskPipeline.stream` does.
        items: What to work on.
        on_stop: Called when the first signal comes, in its handler: it must not print to a buffered stream.

    Attributes:
        hangs: After the end: whether a thread of the stream is still at work.
    """

    def __init__(
        self,
        stream: Callable[[Iterator[Item], threading.Event], Iterator[Result]],
        items: Iterable[Item],
        *,
        on_stop: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._items = items
        self._on_stop = on_stop
        self._stop = threading.Event()
        self._first: tuple[int, float] | None = None  # the signal, and when it came
        self._awaits_item = False
        self._previous: dict[int, Any] = {}
        self._stuck_before = frozenset(stuck_threads())
        self.hangs = False

    @property
    def status(self) -> int | None:
        """The exit status that a signal asked for; None if none came."""
        if self._first is None:
            return None
        return INTERRUPTED if self._first[0] == signal.SIGINT else TERMINATED

    def __enter__(self) -> Stoppable[Item, Result]:
        if threading.current_thread() is threading.main_thread():  # Python allows no other to do this
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hangs = bool(frozenset(stuck_threads()) - self._stuck_before)
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def __iter__(self) -> Iterator[Result]:
        """The results, in order; they end where the stream does, or soon after a signal.

        Raises:
            Exception: What the stream raised, after the results before it.
        """
        try:
            yield from self._stream(self._supply(), self._stop)
        except KeyboardInterrupt:  # while the next item was awaited
            return
        except SystemExit as error:  # a library must not end the run in silence
            raise MaskCheckError(f"the run was ended by SystemExit: {error}") from error

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = (number, monotonic())
            self._stop.set()
            self._on_stop()
        elif monotonic() > self._first[1] + _PATIENCE:
            end_process(self.status or INTERRUPTED)
        if self._awaits_item:  # it may never come, as from a pipe
            self._awaits_item = False
            raise KeyboardInterrupt

    def _supply(self) -> Iterator[Item]:
        items = iter(self._items)
        while not self._stop.is_set():
            self._awaits_item = True
            item = next(items, None)
            self._awaits_item = False
            if item is None:
                return
            yield item


def end_process(status: int) -> None:
    """End the process at once, with what was printed: for where a thread hangs in native code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            with suppress(OSError, RuntimeError):  # RuntimeError: a signal came in the middle of writing
                stream.flush()
    os._exit(status)
