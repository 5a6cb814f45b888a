"""Ctrl-C and the request to end, in a run over many pictures: what is done is kept, and the end comes soon."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

from maskcheck.ahead import stuck_threads
from maskcheck.commands.exits import INTERRUPTED, TERMINATED
from maskcheck.errors import MaskCheckError

Item = TypeVar("Item")
Result = TypeVar("Result")

_SOON = 0.1  # seconds


class Stoppable(Generic[Item, Result]):
    """Results of a stream, which a signal can stop at any time, even where a thread of it hangs.

    While the context is open, the first SIGINT (Ctrl-C) or SIGTERM ends the supply of items, and the stream gives what
    is nearly finished. It never interrupts whoever uses the results, as in the middle of writing one. A second signal
    ends the stream at once, a third one the process.

    Args:
        stream: Makes the iterator of results from one of items; it knows ``KeyboardInterrupt``, as
            :meth:`MaskPipeline.stream` does.
        items: What to work on.
        on_stop: Called when the first signal comes, in its handler: it must not print to a buffered stream.

    Attributes:
        hangs: After the end: whether a thread of the stream is still at work.
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
        self._signals: list[int] = []
        self._delivered = 0  # signals that the stream has been interrupted for
        self._again = False  # whether the next signal is one of these once more
        self._in_stream = False
        self._previous: dict[int, Any] = {}
        self._stuck_before = frozenset(stuck_threads())
        self.hangs = False

    @property
    def status(self) -> int | None:
        """The exit status that a signal asked for; None if none came."""
        if not self._signals:
            return None
        return INTERRUPTED if self._signals[0] == signal.SIGINT else TERMINATED

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
        """The results, in order; they end where the stream does, or after a signal.

        Raises:
            Exception: What the stream raised, after the results before it.
        """
        stream = self._stream(self._supply())
        try:
            while True:
                try:
                    result = self._next(stream)
                except (StopIteration, KeyboardInterrupt):
                    return
                except SystemExit as error:  # a library must not end the run in silence
                    raise MaskCheckError(f"the run was ended by SystemExit: {error}") from error
                yield result
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                with suppress(KeyboardInterrupt):
                    close()

    def _next(self, stream: Iterator[Result]) -> Result:
        if len(self._signals) > self._delivered:  # one came while a result was used; the stream is to know soon
            timer = threading.Timer(_SOON, self._signal_again)
            timer.daemon = True
            timer.start()
        self._in_stream = True
        try:
            return next(stream)
        finally:
            self._in_stream = False

    def _signal_again(self) -> None:
        self._again = True
        _thread.interrupt_main()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._again:
            self._again = False
        else:
            self._signals.append(number)
            if len(self._signals) == 1:
                self._on_stop()
            elif len(self._signals) > 2:
                end_process(self.status or INTERRUPTED)
        if self._in_stream and len(self._signals) > self._delivered:
            self._delivered = len(self._signals)
            raise KeyboardInterrupt

    def _supply(self) -> Iterator[Item]:
        for item in self._items:
            if self._signals:
                self._delivered = len(self._signals)
                raise KeyboardInterrupt
            yield item


def end_process(status: int) -> None:
    """End the process at once, with what was printed: for where a thread hangs in native code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            with suppress(OSError, RuntimeError):  # RuntimeError: a signal came in the middle of writing
                stream.flush()
    os._exit(status)
