"""A value that changes only when another one holds for a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


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
        self._onset: Sight | None = None

    def see(self, value: Value, sight: Sight) -> bool:
        """Take the value that is seen now, and say whether it is a new one that has held for long enough."""
        if value == self.value:
            self._onset = None
            return False
        if self._onset is None or value != self._next:
            self._next, self._onset = value, sight
            return False
        if sight.time - self._onset.time < self._seconds:
            return False
        self.value, self.since, self._onset = value, self._onset, None
        return True
