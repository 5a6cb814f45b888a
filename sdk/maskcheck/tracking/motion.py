"""Where a face is and how it moves: a Kalman filter of constant velocity.

All is in units of the face's own side, so the same numbers hold for near and far faces. R. E. Kalman, "A New Approach
to Linear Filtering and Prediction Problems", 1960; the noise of acceleration as in Y. Bar-Shalom et al., "Estimation
with Applications to Tracking and Navigation", 2001, section 6.2 (white noise acceleration).
"""

from __future__ import annotations

import math

from maskcheck.pictures.box import Box

_JITTER = 0.06  # standard deviation of a detected centre, in sides
_FIRST_SPEED = 1.5  # standard deviation of the speed of a new face, in sides a second
_ACCELERATION = 2.0  # density of the noise of acceleration, in sides**2 / second**3
_SIZE_GAIN = 0.4  # share of a new size that is taken over
_SLOWING = 1.0  # seconds after which the speed of a face that is not found has fallen to a third


class Motion:
    """The motion of a face, by its box at some times.

    Args:
        box: Where it was first found.
        time: When, in seconds.

    Attributes:
        time: When it was last found.
        side: Mean of its width and height, in pixels; 1 or more.
    """

    def __init__(self, box: Box, time: float) -> None:
        self.time = time
        self._x, self._y, self._width, self._height = _measures(box)
        self._speed_x = self._speed_y = 0.0
        self._variance = (_JITTER**2, 0.0, _FIRST_SPEED**2)  # of the place, both, of the speed
        self.side = self._mean_side()

    def box_at(self, time: float) -> Box:
        """Where it is expected: ``x1, y1, x2, y2`` in pixels."""
        x, y = self.centre_at(time)
        return x - self._width / 2, y - self._height / 2, x + self._width / 2, y + self._height / 2

    def centre_at(self, time: float) -> tuple[float, float]:
        """Where its centre is expected."""
        # People do not walk on for ever: without new sights, the expected place comes to rest.
        ahead = _SLOWING * (1 - math.exp(-max(time - self.time, 0.0) / _SLOWING))
        return self._x + self._speed_x * ahead, self._y + self._speed_y * ahead

    def uncertainty_at(self, time: float) -> float:
        """Standard deviation of its expected place, in sides."""
        return math.sqrt(self._predicted(max(time - self.time, 0.0))[0])

    def see(self, box: Box, time: float) -> None:
        """Take in where it was found."""
        step = max(time - self.time, 1e-3)
        place, both, speed = self._predicted(step)
        gain = place / (place + _JITTER**2)
        speed_gain = both / (place + _JITTER**2)
        x, y, width, height = _measures(box)
        expected_x, expected_y = self._x + self._speed_x * step, self._y + self._speed_y * step
        self._x = expected_x + gain * (x - expected_x)
        self._y = expected_y + gain * (y - expected_y)
        self._speed_x += speed_gain * (x - expected_x)
        self._speed_y += speed_gain * (y - expected_y)
        self._variance = ((1 - gain) * place, (1 - gain) * both, speed - speed_gain * both)
        self._width += _SIZE_GAIN * (width - self._width)
        self._height += _SIZE_GAIN * (height - self._height)
        self.side = self._mean_side()
        self.time = time

    def _predicted(self, step: float) -> tuple[float, float, float]:
        place, both, speed = self._variance
        return (
            place + 2 * step * both + step**2 * speed + _ACCELERATION * step**3 / 3,
            both + step * speed + _ACCELERATION * step**2 / 2,
            speed + _ACCELERATION * step,
        )

    def _mean_side(self) -> float:
        return max((self._width + self._height) / 2, 1.0)


def _measures(box: Box) -> tuple[float, float, float, float]:
    """Centre, width and height."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
