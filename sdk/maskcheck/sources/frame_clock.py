"""Times of a video's frames that always increase, even if its time stamps do not."""

from __future__ import annotations

_DEFAULT_STEP = 1 / 25  # seconds, if the frame rate is unknown
_RESTART = 1.0  # seconds: a longer jump back means that another recording begins in the same file


class FrameClock:
    """Gives each frame its time, in seconds.

    Time stamps that increase are used as they are. One that is missing, repeated or smaller is replaced by the previous
    time plus the duration of a frame. After a jump back of more than a second, times continue from there: such files
    are several recordings joined together.

    Args:
        frame_rate: Frames per second, to replace time stamps that cannot be used; None if it is unknown.
    """

    def __init__(self, frame_rate: float | None) -> None:
        self._step = 1 / frame_rate if frame_rate else _DEFAULT_STEP
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
            if stamp is not None and stamp + self._offset < self._last - _RESTART:
                self._offset = expected - stamp
            time = expected if stamp is None else stamp + self._offset
            if time <= self._last:
                time = expected
        self._last = time
        return time
