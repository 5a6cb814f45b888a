"""The line that says how far a run is."""

from __future__ import annotations

import sys
from time import monotonic

from maskcheck.commands.console import is_terminal


class Progress:
    """How far a run is, on one line of a terminal at standard error; nothing elsewhere.

    Args:
        total: Pictures in all.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = self._shown = monotonic()
        self._stream = sys.stderr if is_terminal(sys.stderr) and total > 1 else None
        self._length = 0

    def show(self, done: int) -> None:
        """Update the line, at most a few times a second."""
        now = monotonic()
        if self._stream is None or (self._length and now - self._shown < 0.2):
            return
        self._shown = now
        text = f"{done} of {self._total}"
        if done and now - self._started > 2:
            text += f", about {_duration((now - self._started) / done * (self._total - done))} left"
        self.clear()
        self._stream.write(text)
        self._stream.flush()
        self._length = len(text)

    def clear(self) -> None:
        """Remove the line, so that another can be printed in its place."""
        if self._stream is not None and self._length:
            self._stream.write("\r" + " " * self._length + "\r")  # not every Windows console knows escape sequences
            self._stream.flush()
            self._length = 0


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
