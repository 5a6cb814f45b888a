"""Delivery of events to consumers, none of which can slow down the frames."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from maskcheck.events.event import Event
from maskcheck.log import LOGGER

_REPORTED_EVERY = 30.0  # seconds between warnings about one sink
_GRACE = 0.25  # seconds for a sink whose time is over to say so


class Sink(ABC):
    """Where events go. It has a thread of its own, which alone calls `send` and `close`.

    Attributes:
        name: As it is shown, without passwords.
        takes_crops: Whether it uses the crops; if not, they are left out of the events that wait for it.
    """

    name: str
    takes_crops: bool = False

    @abstractmethod
    def send(self, event: Event, *, dropped: int) -> None:
        """Deliver an event. It may take its time, and may raise an error, which is reported; the next event follows.

        Args:
            event: The event.
            dropped: How many events were left out between the one before and this one, as the sink was too slow.
        """

    def lost(self) -> int:
        """How many of the events that it took it could not pass on. Called from any thread."""
        return 0

    def close(self, timeout: float) -> None:  # noqa: B027
        """Pass on what is left, and free what it holds. It may raise an error.

        Args:
            timeout: Seconds that this may take; who closes waits no longer.
        """


class CallableSink(Sink):
    """Calls a function for each event.

    Args:
        function: Called with the event, in a thread of its own.
    """

    takes_crops = True

    def __init__(self, function: Callable[[Event], object]) -> None:
        self.name = getattr(function, "__qualname__", type(function).__name__)
        self._function = function

    def send(self, event: Event, *, dropped: int) -> None:  # noqa: ARG002
        """Call the function."""
        self._function(event)


@dataclass(frozen=True)
class SinkReport:
    """What became of the events for one sink.

    Attributes:
        sink: Its name.
        delivered: Events that it took.
        dropped: Events that were left out, as it was too slow, or did not end in time.
        failed: Events that it could not deliver because of an error.
        error: The first error, in words; None if there was none.
    """

    sink: str
    delivered: int
    dropped: int
    failed: int
    error: str | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "sink": self.sink,
            "delivered": self.delivered,
            "dropped": self.dropped,
            "failed": self.failed,
            "error": self.error,
        }


class Delivery:
    """Hands events to sinks, each in a thread of its own, behind a queue of bounded length.

    :meth:`send` never waits. Where a queue is full, its oldest event is dropped and counted: the number
    comes with the sink's next event, in the log every 30 seconds, and in :meth:`report` at the end.

    Args:
        sinks: Sinks, or functions that take an event.
        capacity: Most events that wait for a sink.
        crop_capacity: Most events that wait for a sink that takes crops, which are large.
    """

    def __init__(
        self, sinks: Iterable[Sink | Callable[[Event], object]], *, capacity: int = 1000, crop_capacity: int = 100
    ) -> None:
        if capacity < 1 or crop_capacity < 1:
            raise ValueError(f"capacity: expected 1 or more, got {min(capacity, crop_capacity)}")
        made = [sink if isinstance(sink, Sink) else CallableSink(sink) for sink in sinks]
        self._queues = [_SinkQueue(sink, crop_capacity if sink.takes_crops else capacity) for sink in made]

    def send(self, event: Event) -> None:
        """Queue an event for every sink; after :meth:`close`, it is dropped."""
        for queue in self._queues:
            queue.put(event)

    def report(self) -> tuple[SinkReport, ...]:
        """What became of the events so far, for each sink."""
        return tuple(queue.report() for queue in self._queues)

    def close(self, timeout: float = 5.0) -> tuple[SinkReport, ...]:
        """Deliver what waits and close the sinks; what a sink does not take in time is dropped.

        Args:
            timeout: Seconds that all of this may take.
        """
        deadline = time.monotonic() + timeout
        for queue in self._queues:
            queue.end(deadline)
        for queue in self._queues:
            queue.join(deadline)
        return self.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _SinkQueue:
    """The events that wait for a sink, and the thread that hands them over."""

    def __init__(self, sink: Sink, capacity: int) -> None:
        self._sink = sink
        self._waiting: deque[Event] = deque()
        self._capacity = capacity
        self._changed = threading.Condition()
        self._ended = False
        self._deadline = 0.0
        self._busy = False
        self._delivered = self._dropped = self._failed = 0
        self._unreported = 0  # of the dropped: those of which the sink does not know yet
        self._error: str | None = None
        self._reported_at = -_REPORTED_EVERY
        # A daemon, as a sink may hang for ever, and must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=f"maskcheck events: {sink.name}", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        if event.crop is not None and not self._sink.takes_crops:
            event = replace(event, crop=None, crop_faces=())
        with self._changed:
            if self._ended:
                self._dropped += 1
                return
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self._dropped += 1
                self._unreported += 1
            self._waiting.append(event)
            self._changed.notify()
        if self._unreported:
            self._warn("is too slow: its oldest events are dropped, %d so far", self._dropped)

    def end(self, deadline: float) -> None:
        with self._changed:
            self._ended, self._deadline = True, deadline
            self._changed.notify()

    def join(self, deadline: float) -> None:
        self._thread.join(max(0.0, deadline - time.monotonic()) + _GRACE)
        with self._changed:
            stuck = self._thread.is_alive()
            self._dropped += len(self._waiting)
            self._waiting.clear()
        if stuck:
            LOGGER.warning("events: %s did not end in time: %d events dropped", self._sink.name, self._dropped)

    def report(self) -> SinkReport:
        with self._changed:
            lost = self._sink.lost()
            dropped = self._dropped + lost
            if self._ended and self._busy:  # with an event that it may never pass on
                dropped += 1
            return SinkReport(self._sink.name, self._delivered - lost, dropped, self._failed, self._error)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    break
                event = self._waiting.popleft()
                dropped, self._unreported = self._unreported, 0
                self._busy = True
            try:
                self._sink.send(event, dropped=dropped)
            except Exception as error:  # of a disk, a network, or of any kind from a function of the caller
                self._fail(error, 1)
            else:
                with self._changed:
                    self._delivered += 1
                    self._busy = False
        try:
            self._sink.close(max(0.0, self._deadline - time.monotonic()))
        except Exception as error:
            self._fail(error, 0)

    def _fail(self, error: Exception, events: int) -> None:
        text = f"{type(error).__name__}: {error}"
        with self._changed:
            self._failed += events
            self._busy = False
            self._error = self._error or text
        self._warn("failed: %s", text)

    def _warn(self, text: str, *values: object) -> None:
        now = time.monotonic()
        if now - self._reported_at >= _REPORTED_EVERY:
            self._reported_at = now
            LOGGER.warning(f"events: %s {text}", self._sink.name, *values)
