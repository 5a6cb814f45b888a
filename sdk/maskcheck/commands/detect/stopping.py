"""Ctrl-C and SIGTERM in a run over many pictures: the run ends soon, and finished results are kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from maskcheck.commands.exits import INTERRUPTED, TERMINATED, end_process
from maskcheck.engine.ending import stuck_threads
from maskcheck.errors import MaskCheckError

Item = TypeVar("Item")
Result = TypeVar("Result")

_PATIENCE = 2.0  # seconds after the first signal in which others are ignored: people press Ctrl-C several times


class Stopping:
    """What ends a run soon after a signal, even if a thread of a stream hangs.

    While the context is open, the first SIGINT (Ctrl-C) or SIGTERM sets an event, and streams give the results that
    are nearly finished. The signal interrupts a wait for the next item, but neither the stream nor the code that uses
    the results. A signal that comes two seconds later, or after that, ends the process at once.

    Args:
        on_stop: Called by the handler of the first signal, so it must not print to a buffered stream.

    Attributes:
        event: Set by the first signal; also by whoever else wants the run to end.
        hangs: At the end of the context: whether a thread of a stream is still at work.
    """

    def __init__(self, *, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self.event = threading.Event()
        self._first: tuple[int, float] | None = None  # the signal, and when it came
        self._awaits_item = False
        self._previous: dict[int, Any] = {}
        self._stuck_before = frozenset(stuck_threads())
        self.hangs = False

    @property
    def status(self) -> int | None:
        """The exit status after a signal; None if no signal came."""
        if self._first is None:
            return None
        return INTERRUPTED if self._first[0] == signal.SIGINT else TERMINATED

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # only there does Python allow handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hangs = bool(frozenset(stuck_threads()) - self._stuck_before)
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def results(
        self, stream: Callable[[Iterator[Item], threading.Event], Iterator[Result]], items: Iterable[Item]
    ) -> Iterator[Result]:
        """The results of a stream, in order, until it or a signal ends them.

        Args:
            stream: Gives an iterator of results, for an iterator of items and the event that ends it, as
                :meth:`MaskPipeline.stream` does.
            items: What to work on.

        Raises:
            Exception: The error of the stream, after the results before it.
        """
        try:
            yield from stream(self._supply(items), self.event)
        except KeyboardInterrupt:  # in a wait for the next item
            return
        except SystemExit as error:  # a plugin must not end the run without a message
            raise MaskCheckError(f"the run was ended by SystemExit: {error}") from error

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._first is None:
            self._first = (number, monotonic())
            self.event.set()
            self._on_stop()
        elif monotonic() > self._first[1] + _PATIENCE:
            end_process(self.status or INTERRUPTED)
        if self._awaits_item:  # a pipe may never give one
            self._awaits_item = False
            raise KeyboardInterrupt

    def _supply(self, items: Iterable[Item]) -> Iterator[Item]:
        iterator = iter(items)
        while not self.event.is_set():
            self._awaits_item = True
            item = next(iterator, None)
            self._awaits_item = False
            if item is None:
                return
            yield item
