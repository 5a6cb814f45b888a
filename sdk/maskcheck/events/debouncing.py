"""A value that changes only when another one holds for a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

_STILL = 0.01
"""A probability that changes by less neither rises nor falls."""


@dataclass(frozen=True)
class Sight:
    """A moment at which a face was seen.

    Attributes:
        time: Seconds from the start of the source.
        frame: Number of the frame.
        box: Of the face, in pixels.
    """

    time: float
    frame: int
    box: tuple[float, float, float, float]


class Debounced(Generic[Value]):
    """A value that changes only when another one holds for a time, in two sights at least.

    Args:
        seconds: How long.

    Attributes:
        value: The value that held last; None if none has held yet.
        since: When it began.
    """

    def __init__(self, seconds: float) -> None:
        self.value: Value | None = None
        self.since: Sight | None = None
        self._seconds = seconds
        self._next: Value | None = None
        self._first: Sight | None = None  # of the next value
        self._onset: Sight | None = None

    def see(self, value: Value, sight: Sight, *, onset: Sight | None = None) -> bool:
        """Take the value that is seen now, and say whether it is a new one that has held for long enough.

        Args:
            value: The value.
            sight: When it is seen.
            onset: When the change to it began, if that is earlier.
        """
        if value == self.value:
            self._first = None
            return False
        if self._first is None or value != self._next:
            self._next, self._first, self._onset = value, sight, onset or sight
            return False
        if sight.time - self._first.time < self._seconds:
            return False
        self.value, self.since, self._first = value, self._onset, None
        return True


class Fall:
    """The fall of a number that is smoothed over time: when it began is when the change that causes it happened.

    Attributes:
        since: The first sight of the fall that goes on; None while the number does not fall.
    """

    def __init__(self) -> None:
        self.since: Sight | None = None
        self._last: float | None = None

    def see(self, number: float, sight: Sight) -> None:
        """Take the number that is seen now."""
        if self._last is not None and number > self._last - _STILL:
            if number > self._last + _STILL:
                self.since = None
        elif self._last is not None and self.since is None:
            self.since = sight
        self._last = number
