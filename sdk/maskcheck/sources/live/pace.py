"""The pace of a stream that comes in segments of some seconds, each much faster than it plays."""

from __future__ import annotations

from time import monotonic, sleep

_JUMP = 1.0  # seconds between two frames, or behind the clock, from which the pace begins anew


class Pace:
    """Holds each frame back until it is due by its time stamp."""

    def __init__(self) -> None:
        self._start: float | None = None  # when time stamp 0 is due, by ``monotonic``
        self._last = 0.0

    def wait(self, time: float | None) -> None:
        """Wait until a frame is due.

        Args:
            time: Its time stamp, in seconds; a frame without one is due at once.
        """
        if time is None:
            return
        now = monotonic()
        if self._start is None or abs(time - self._last) > _JUMP or now - (self._start + time) > _JUMP:
            self._start = now - time
        self._last = time
        sleep(max(self._start + time - now, 0))
