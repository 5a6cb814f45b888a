"""The times of a video's frames, which always rise, whatever its time stamps are."""

from __future__ import annotations

_USUAL_STEP = 1 / 25  # seconds, where nothing tells the frame rate
_NEW_PART = 1.0  # seconds: a time stamp that jumps back further begins another recording in the same file


class FrameClock:
    """Gives each frame its time, in seconds.

    A time stamp is taken as it is while it rises. One that is missing, repeated or goes back is replaced by the time
    before it and the frame rate. After a jump back of more than a second, times go on from there: such files are
    recordings put one behind the other.

    Args:
        frame_rate: Frames a second, for time stamps that cannot be used; None if it is unknown.
    """

    def __init__(self, frame_rate: float | None) -> None:
        self._step = 1 / frame_rate if frame_rate else _USUAL_STEP
        self._last: float | None = None
        self._offset = 0.0

    def time_of(self, stamp: float | None) -> float:
        """The time of the next frame.

        Args:
            stamp: Its time stamp, in seconds from the start of the video; None if it has none.
        """
        if self._last is None:
            time = max(stamp or 0.0, 0.0)
        else:
            expected = self._last + self._step
            if stamp is not None and stamp + self._offset < self._last - _NEW_PART:
                self._offset = expected - stamp
            time = expected if stamp is None else stamp + self._offset
            if time <= self._last:
                time = expected
        self._last = time
        return time
