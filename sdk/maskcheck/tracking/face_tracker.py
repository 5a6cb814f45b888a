"""``FaceTracker``: which detection is which face, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import PackageNotInstalled
from maskcheck.pictures.box import Box
from maskcheck.tracking.motion import Motion
from maskcheck.tracking.settings import TrackingSettings

_GROWTH_SPREAD = 0.1  # standard deviation of the logarithm of a size, from frame to frame
_MOST_GROWTH = 0.5  # of that logarithm: larger boxes are of another face
_FACES_OF_A_PAN = 3  # that are found again, from which the motion of the camera is known
_LEAST_SPREAD = 0.1  # sides: of the place of a face that is surely expected
_PAIRED = 1e3  # by which a pair is better than none
_IMPOSSIBLE = 1e6  # cost of a pair that is out of reach


class FaceTracker:
    """Gives each face a number that it keeps from frame to frame, also when it is missed for a while.

    A face is expected to move on as it did. A detection belongs to the face that is expected closest to it, so that
    the sum of all distances, in sides of the faces, is the least. Numbers count from 1 and are never used twice.

    Args:
        settings: How faces are followed.

    Raises:
        PackageNotInstalled: scipy is missing.
    """

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError as error:
            raise PackageNotInstalled(
                f"following faces needs the package scipy, which cannot be imported ({error}); install it:"
                ' pip install "maskcheck[video]"',
                package="scipy",
            ) from error
        self._assign = linear_sum_assignment
        self._settings = settings or TrackingSettings()
        self._motions: dict[int, Motion] = {}
        self._next = 1
        self._time: float | None = None  # of the last frame
        self._clock = 0.0  # rises from frame to frame, whatever the times of the source do

    def update(self, boxes: NDArray[np.float64], scores: NDArray[np.float32], time: float) -> list[int | None]:
        """Take the detections of the next frame on which the detector ran.

        A time before the last one begins a new video: all faces are forgotten. After a long gap, they are forgotten,
        too.

        Args:
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels.
            scores: (N,), detection scores in [0, 1].
            time: Seconds from the start of the source. The same time as before, as from sources without a clock,
                counts as a frame later, at the frame rate of the settings.

        Returns:
            The number of each detection's face; None for one whose score begins no track.
        """
        if self._time is not None and time < self._time:
            self._motions.clear()
        self._advance(time)
        time = self._clock
        for number, motion in list(self._motions.items()):
            if time - motion.time > self._settings.forget_after:
                del self._motions[number]
        numbers: list[int | None] = [None] * len(boxes)
        found: list[Box] = [(box[0], box[1], box[2], box[3]) for box in np.asarray(boxes, np.float64).tolist()]
        for number, place in self._pairs(found, time):
            self._motions[number].see(found[place], time)
            numbers[place] = number
        for place, box in enumerate(found):
            if numbers[place] is None and scores[place] >= self._settings.start_score:
                self._motions[self._next] = Motion(box, time)
                numbers[place] = self._next
                self._next += 1
        return numbers

    def predict(self, time: float) -> list[tuple[int, Box]]:
        """Where faces are expected that were found in the last frame on which the detector ran.

        Args:
            time: Seconds from the start of the source.

        Returns:
            The number of each, and its box in pixels, which may reach beyond the picture. None of a face that was
            last found too long ago, or later than `time`.
        """
        ahead = 0.0 if self._time is None else time - self._time
        if not 0 <= ahead <= self._settings.forget_after:
            return []
        return [
            (number, motion.box_at(self._clock + ahead))
            for number, motion in self._motions.items()
            if motion.time == self._clock
        ]

    def frozen(self) -> FaceTracker:
        """A copy that says where faces are expected by what is known now, whatever is found later."""
        copied = copy(self)
        copied._motions = {number: copy(motion) for number, motion in self._motions.items()}
        return copied

    @property
    def clock(self) -> float:
        """Seconds at the last frame on which the detector ran; they rise even where the times of the source do not."""
        return self._clock

    def is_followed(self, number: int) -> bool:
        """Whether a face may still be found again."""
        return number in self._motions

    def _advance(self, time: float) -> None:
        if self._time is not None and time >= self._time:
            self._clock += (time - self._time) or 1 / self._settings.frame_rate
        self._time = time

    def _pairs(self, boxes: Sequence[Box], time: float) -> list[tuple[int, int]]:
        """Which face is which box."""
        if not boxes or not self._motions:
            return []
        numbers, motions = list(self._motions), list(self._motions.values())
        measured = np.array(boxes)
        centres = (measured[:, :2] + measured[:, 2:]) / 2
        sides = np.maximum((measured[:, 2:] - measured[:, :2]).mean(axis=1), 1.0)
        expected = np.array([motion.centre_at(time) for motion in motions])
        uncertainty = np.array([motion.uncertainty_at(time) for motion in motions])
        growth = np.log(sides[None, :] / np.array([motion.side for motion in motions])[:, None])
        unit = sides[None, :] * np.exp(-growth / 2)  # geometric mean of both sides
        rows, columns = self._likeliest(expected, centres, unit, uncertainty, growth)
        if len(rows) >= _FACES_OF_A_PAN:  # what all have in common is the camera's motion
            expected = expected + np.median(centres[columns] - expected[rows], axis=0)
            rows, columns = self._likeliest(expected, centres, unit, uncertainty, growth)
        return [(numbers[row], int(column)) for row, column in zip(rows, columns, strict=True)]

    def _likeliest(
        self,
        expected: NDArray[np.float64],
        centres: NDArray[np.float64],
        unit: NDArray[np.float64],
        uncertainty: NDArray[np.float64],
        growth: NDArray[np.float64],
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The likeliest pairs of faces and boxes, as many as there can be.

        Args:
            expected: (M, 2), where faces are expected, in pixels.
            centres: (N, 2), centres of the boxes.
            unit: (M, N), pixels of a side of each pair.
            uncertainty: (M,), standard deviation of where a face is expected, in sides.
            growth: (M, N), logarithm of how much larger the box is than the face was.

        Returns:
            Indices of the faces, and of their boxes.
        """
        reach = np.minimum(self._settings.reach + 3 * uncertainty, self._settings.most_reach)[:, None]
        distance = np.linalg.norm(expected[:, None] - centres[None, :], axis=2) / unit
        # Twice the negative logarithm of the likelihood, of a normal distribution of place and size: who is surely
        # expected somewhere has the first claim on what is there.
        spread = np.hypot(uncertainty, _LEAST_SPREAD)[:, None]
        cost = (distance / spread) ** 2 + (growth / _GROWTH_SPREAD) ** 2 + 4 * np.log(spread) - _PAIRED
        possible = (distance <= reach) & (np.abs(growth) <= _MOST_GROWTH)
        cost = np.where(possible, np.minimum(cost, -1.0), _IMPOSSIBLE)
        rows, columns = self._assign(cost)
        kept = cost[rows, columns] < _IMPOSSIBLE
        return rows[kept], columns[kept]
