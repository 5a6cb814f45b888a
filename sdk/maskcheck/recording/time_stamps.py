"""Times of pictures to time stamps that rise."""

from __future__ import annotations

import math
from fractions import Fraction

_RESTART = 1.0  # seconds back from which a clock has begun anew


class TimeStamps:
    """Time stamps of a video's pictures, each later than the one before.

    A picture that is not later than the one before comes a moment after it. Where the clock of the source begins anew,
    its pictures go on one picture's time after the last one.

    Args:
        start: Time of the source at which the video begins, in seconds.
        time_base: Seconds of one unit.
        picture_time: Seconds that a picture is seen, about.

    Attributes:
        corrected: How many pictures have a time stamp of another time than theirs.
        end: When the last picture ends, in seconds of the video: one picture's time after it came.
    """

    def __init__(self, start: float, time_base: Fraction, picture_time: float) -> None:
        self._start = start
        self._time_base = time_base
        self._picture_time = max(1, round(picture_time / time_base))
        self._last = -1
        self._shift = 0
        self.corrected = 0

    @property
    def end(self) -> float:
        """When the last picture ends, in seconds of the video."""
        return float((self._last + self._picture_time) * self._time_base) if self._last >= 0 else 0.0

    def next(self, time: float) -> int:
        """The time stamp of the next picture.

        Args:
            time: In seconds from the start of the source.

        Raises:
            ValueError: It is no finite number.
        """
        if not math.isfinite(time):
            raise ValueError(f"time: expected seconds, got {time!r}")
        stamp = round((time - self._start) / self._time_base) + self._shift
        if self._last >= 0 and stamp < self._last - _RESTART / self._time_base:
            moved = self._last + self._picture_time
            self._shift += moved - stamp
            stamp = moved
            self.corrected += 1
        elif stamp <= self._last:
            stamp = self._last + 1
            self.corrected += 1
        self._last = stamp
        return stamp
