"""Blurs the frames of a stream a moment later, when it is known where faces came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from maskcheck.pictures.box import Box
from maskcheck.privacy.blurring import blur_faces
from maskcheck.privacy.plan import AROUND_CHANGE, HOLD, BlurPlan
from maskcheck.privacy.selection import SURE, Blur
from maskcheck.results import FrameResult

DELAY = 0.5
"""Seconds that a frame of a stream waits."""

MOST_BYTES = 256_000_000
"""Most bytes of frames that wait."""

_CAUTION = 2.0  # for a frame that cannot wait for what comes after it


class DelayedBlur:
    """Blurs the frames of a stream. Each waits for a moment, so that a face which is found late is blurred before, too.

    A face is blurred as with :class:`BlurPlan`, of which this knows the last seconds.

    ::

        blurring = DelayedBlur("all")
        for result in pipeline.track(camera, keep_images=True):
            for blurred in blurring.add(result):
                show(blurred.draw())
        for blurred in blurring.finish():
            show(blurred.draw())

    Args:
        blur: Which faces are blurred.
        delay: Seconds that a frame waits.
        hold: Seconds before a face is first found and after it is last found. Before, at most `delay`.
        around_change: Seconds before and after a face has a label that is blurred. Before, at most `delay`.
        sure: Least confidence of a face that is left clear.
        max_bytes: Most bytes of frames that wait. If the delay needs more, frames wait for a shorter time, and there,
            larger areas are blurred for longer.

    Attributes:
        hurried: Frames that did not wait for the whole delay, because of `max_bytes`.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        blur: Blur,
        *,
        delay: float = DELAY,
        hold: float = HOLD,
        around_change: float = AROUND_CHANGE,
        sure: float = SURE,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        if not 0 <= delay < float("inf"):
            raise ValueError(f"delay: expected seconds from 0, got {delay!r}")
        if max_bytes < 0:
            raise ValueError(f"max_bytes: expected a number from 0, got {max_bytes}")
        self._plan = BlurPlan(blur, hold=hold, around_change=around_change, sure=sure)
        self._delay, self._max_bytes = delay, max_bytes
        self._waiting: deque[FrameResult] = deque()
        self._bytes = 0
        self.hurried = 0

    def add(self, result: FrameResult, others: Iterable[Box] = ()) -> list[FrameResult]:
        """Take the next frame.

        Args:
            result: It holds its pixels, which are not changed. One without pixels waits, too.
            others: More boxes to blur, such as those that a detector is not sure enough of.

        Returns:
            Results of earlier frames, in order, whose pixels are blurred.

        Raises:
            ValueError: The frame does not come after the one before it.
        """
        self._plan.add(result, others)
        self._waiting.append(result)
        self._bytes += _size(result)
        due = self._plan.time_of(result.frame) - self._delay + 1e-6  # times are rounded
        ready = []
        while self._waiting and self._plan.time_of(self._waiting[0].frame) <= due:
            ready.append(self._next())
        while self._waiting and self._bytes > self._max_bytes:
            self.hurried += 1
            ready.append(self._next(_CAUTION))
        if ready:
            self._plan.forget(self._waiting[0].frame if self._waiting else result.frame)
        return ready

    def finish(self) -> list[FrameResult]:
        """The frames that still wait, at the end of the stream."""
        return [self._next() for _ in range(len(self._waiting))]

    def _next(self, caution: float = 1.0) -> FrameResult:
        result = self._waiting.popleft()
        self._bytes -= _size(result)
        if result.image is None:
            return result
        return replace(result, image=blur_faces(result.image, self._plan.boxes(result.frame, caution=caution)))


def _size(result: FrameResult) -> int:
    return 0 if result.image is None else result.image.nbytes
