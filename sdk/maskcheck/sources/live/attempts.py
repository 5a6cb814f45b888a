"""When the next attempt to connect is made, and when there is none."""

from __future__ import annotations

from time import monotonic

from maskcheck.sources.live.connection import ConnectionFailure, Hope

_FIRST_DELAY = 0.25
_STEADY = 5.0  # seconds that a connection must last for the next attempt to be made at once
_LOGIN_DELAY = 60.0  # cameras lock out those who often try a wrong password


class Attempts:
    """When the next attempt is made: at once after a connection that lasted, then after delays that double.

    Before the first picture, most failures end it, because it is the address that is probably wrong.

    Args:
        start_timeout: Seconds, from now, in which the first picture must come; None to wait for it without end.
        max_delay: The longest delay between two attempts, in seconds.
        reconnect: Whether there is another attempt after a connection that gave pictures.
    """

    def __init__(self, *, start_timeout: float | None, max_delay: float, reconnect: bool) -> None:
        self._start = None if start_timeout is None else monotonic() + start_timeout
        self._max_delay = max_delay
        self._reconnect = reconnect
        self._delay = 0.0
        self._connected_at: float | None = None
        self._has_worked = False

    @property
    def start_deadline(self) -> float | None:
        """When the first picture must be there, by ``monotonic``; None if it came, or may come at any time."""
        return None if self._has_worked else self._start

    def connected(self) -> None:
        """A first picture came."""
        self._has_worked = True
        self._connected_at = monotonic()

    def delay_after(self, failure: ConnectionFailure) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        lasted = self._connected_at is not None and monotonic() - self._connected_at >= _STEADY
        self._connected_at = None
        if failure.hope is Hope.NEVER or (self._has_worked and not self._reconnect):
            return None
        if not self._has_worked:
            if failure.hope is Hope.LOGIN_REFUSED or (
                failure.hope is Hope.AFTER_CORRECTION and self._start is not None
            ):
                return None
        elif failure.hope is Hope.LOGIN_REFUSED:
            return _LOGIN_DELAY
        if lasted:
            self._delay = 0.0
        delay, self._delay = self._delay, min(max(2 * self._delay, _FIRST_DELAY), self._max_delay)
        if self._start is not None and not self._has_worked and monotonic() + delay >= self._start:
            return None
        return delay
