"""What to blur in each frame of a video, from the results of all of its frames."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.box import Box
from maskcheck.privacy.face_path import FacePath, LoneBoxes
from maskcheck.privacy.selection import SURE, Blur, must_blur
from maskcheck.results import FrameResult

HOLD = 1.0
"""Seconds for which a face is blurred before it is first found and after it is last found."""

AROUND_CHANGE = 1.0
"""Seconds for which a face is blurred before and after it has a label that is blurred."""

_FRAME_RATE = 25.0  # frames a second, where results have no times


class BlurPlan:
    """What to blur in each frame of a video.

    The video is read twice: the first time, the results of its frames are added, which a tracker made; the second time,
    the plan says what to blur. So a face is blurred

    - where the tracker missed it between two frames, on the way from one to the other,
    - for a while before it was first found and after it was last found, moving on with its speed,
    - for a while before and after its label says that it must be blurred.

    Where it was not found, the box grows with the time. A face without a track is blurred for a while where it is.
    A face that a tracker predicted counts only where nothing else does, for longer than that: the frames in which it
    was really found say more.

    ::

        plan = BlurPlan("all")
        for result in pipeline.track(open_source("street.mp4")):
            plan.add(result)
        for frame in open_source("street.mp4"):
            blurred = blur_faces(frame.image, plan.boxes(frame.index))

    It holds 25 bytes for each face and 16 for each frame.

    Args:
        blur: Which faces are blurred.
        hold: Seconds before a face is first found and after it is last found.
        around_change: Seconds before and after a face has a label that is blurred.
        sure: Least confidence of a face that is left clear.

    Raises:
        ValueError: A setting is out of its range.
    """

    def __init__(
        self, blur: Blur, *, hold: float = HOLD, around_change: float = AROUND_CHANGE, sure: float = SURE
    ) -> None:
        must_blur("", 0.0, blur)  # raises if it is no such choice
        for name, value in (("hold", hold), ("around_change", around_change)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: expected seconds from 0, got {value!r}")
        self._blur, self._hold, self._around_change, self._sure = blur, hold, around_change, sure
        self._frames = array("q")
        self._times = array("d")  # rising, whatever the video says
        self._paths: dict[int, FacePath] = {}
        self._lone = LoneBoxes()
        self._predicted = LoneBoxes()
        self._spans: tuple[list[FacePath], NDArray[np.float64], NDArray[np.float64]] | None = None

    def add(self, result: FrameResult, others: Iterable[Box] = ()) -> None:
        """Add the result of the next frame.

        Args:
            result: With tracks, if the blur is to hold while a face moves.
            others: More boxes to blur, such as those that a detector is not sure enough of.

        Raises:
            ValueError: The frame does not come after the one before it.
        """
        if self._frames and result.frame <= self._frames[-1]:
            raise ValueError(
                f"expected a frame after {self._frames[-1]}, got {result.frame}; make a plan for each video"
            )
        time = self._next_time(result)
        self._frames.append(result.frame)
        self._times.append(time)
        self._spans = None
        for face in result:
            clear = not must_blur(face.label, face.confidence, self._blur, sure=self._sure)
            if face.track_id is None:
                if not clear:
                    self._lone.add(time, face.box)
            elif not face.predicted:
                self._paths.setdefault(face.track_id, FacePath()).add(time, face.box, clear=clear)
            elif not clear:
                path = self._paths.get(face.track_id)
                if path is None or time > path.last + self._hold:
                    self._predicted.add(time, face.box)
        for box in others:
            self._lone.add(time, box)

    def boxes(self, frame: int, *, caution: float = 1.0) -> list[Box]:
        """What to blur in a frame: ``x1, y1, x2, y2`` in pixels, which may reach beyond the picture.

        Args:
            frame: Its index in the video; it need not be among those that were added.
            caution: Multiplies how long a face is blurred that is not found, and how fast its box grows meanwhile.
        """
        time = self.time_of(frame)
        hold = self._hold * caution
        boxes = [*self._lone.boxes(time, hold, caution), *self._predicted.boxes(time, 0.0)]
        paths, firsts, lasts = self._spans = self._spans or self._make_spans()
        for place in np.flatnonzero((firsts - hold <= time) & (time <= lasts + hold)):
            path = paths[place]
            if not path.is_clear(time, self._around_change * caution):
                boxes += path.boxes(time, hold, caution)
        return boxes

    def time_of(self, frame: int) -> float:
        """Seconds of a frame: as its result says, or between those of its neighbours."""
        place = bisect_left(self._frames, frame)
        if place < len(self._frames) and self._frames[place] == frame:
            return self._times[place]
        if not self._frames:
            return frame / _FRAME_RATE
        if 0 < place < len(self._frames):
            share = (frame - self._frames[place - 1]) / (self._frames[place] - self._frames[place - 1])
            return self._times[place - 1] + share * (self._times[place] - self._times[place - 1])
        end = 0 if place == 0 else -1
        count = self._frames[-1] - self._frames[0]
        step = (self._times[-1] - self._times[0]) / count if count else 1 / _FRAME_RATE
        return self._times[end] + (frame - self._frames[end]) * step

    def forget(self, before: int) -> None:
        """Drop what frames from `before` on do not need, so that a stream's plan does not grow."""
        place = bisect_left(self._frames, before)
        oldest = self.time_of(before) - 2 * max(self._hold, self._around_change)
        drop = min(place, bisect_left(self._times, oldest))
        del self._frames[:drop]
        del self._times[:drop]
        self._lone.forget(oldest)
        self._predicted.forget(oldest)
        for track, path in list(self._paths.items()):
            if path.last < oldest:
                del self._paths[track]
            else:
                path.forget(oldest)
        self._spans = None

    def _next_time(self, result: FrameResult) -> float:
        time = result.frame / _FRAME_RATE if result.time is None else float(result.time)
        if self._times and not time > self._times[-1]:  # some videos have the same time stamp in every frame
            time = self._times[-1] + (result.frame - self._frames[-1]) / _FRAME_RATE
        return time

    def _make_spans(self) -> tuple[list[FacePath], NDArray[np.float64], NDArray[np.float64]]:
        paths = list(self._paths.values())
        return paths, np.array([path.first for path in paths]), np.array([path.last for path in paths])
