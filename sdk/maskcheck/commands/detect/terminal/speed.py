"""How fast a video is worked on."""

from __future__ import annotations

from collections import deque

_WINDOW = 5.0  # seconds that are looked back
_STEP = 0.2  # seconds between two notes
_SLOW = 9.95  # frames a second, below which a digit more is shown


class Speed:
    """Frames a second over the last seconds, so that it follows when the load changes."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int, float]] = deque()
        self._latest = (0.0, 0, 0.0)

    def add(self, now: float, frames: int, time: float) -> None:
        """Note how far it is.

        Args:
            now: In seconds, by the clock on the wall.
            frames: Frames that are done.
            time: Time of the last of them, in seconds of the video.
        """
        self._latest = (now, frames, time)
        if not self._notes or now - self._notes[-1][0] >= _STEP:
            self._notes.append(self._latest)
        while len(self._notes) > 1 and now - self._notes[1][0] >= _WINDOW:
            self._notes.popleft()

    @property
    def seconds(self) -> float:
        """How long it was watched, at most the last few seconds."""
        return self._latest[0] - self._notes[0][0] if self._notes else 0.0

    @property
    def rate(self) -> float:
        """Frames a second; 0 until it is known."""
        return (self._latest[1] - self._notes[0][1]) / self.seconds if self.seconds > 0 else 0.0

    @property
    def pace(self) -> float:
        """Seconds of the video for each second on the wall; 0 until it is known."""
        return (self._latest[2] - self._notes[0][2]) / self.seconds if self.seconds > 0 else 0.0

    def texts(self) -> list[str]:
        """In words; nothing in the first second."""
        if self.seconds < 1:
            return []
        return [f"{self.rate:.1f} frames/s" if self.rate < _SLOW else f"{self.rate:.0f} frames/s"]
