"""A value that changes only when another one holds for a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from maskcheck.pictures.box import Box

Value = TypeVar("Value")

_STILL_HIGH = 0.85
"""Share of a fall from its height on: a number that is higher has not begun to fall, but for noise."""


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
    box: Box


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
    """The last moments of a number that is smoothed over time: where it began to fall, the cause of the fall happened.

    Args:
        seconds: How long a fall may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._recent: deque[tuple[float, Sight]] = deque()

    def see(self, number: float, sight: Sight) -> None:
        """Take the number that is seen now."""
        self._recent.append((number, sight))
        while sight.time - self._recent[0][1].time > self._seconds:
            self._recent.popleft()

    def onset(self) -> Sight:
        """The first sight since which the number has been clearly below its height before; at the latest, the last."""
        now, onset = self._recent[-1]
        clearly = now + _STILL_HIGH * (max(number for number, _ in self._recent) - now)
        for number, sight in reversed(self._recent):
            if number > clearly:
                break
            onset = sight
        return onset
