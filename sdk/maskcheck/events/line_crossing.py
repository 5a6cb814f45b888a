"""Whether a person crosses a line, once for each real crossing."""

from __future__ import annotations

from maskcheck.events.debouncing import Sight
from maskcheck.events.event import Direction
from maskcheck.events.zones import Line, Point


class LineCrossing:
    """On which side of a line a person is. The side changes only where the person is clearly beyond the line.

    Args:
        line: The line.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._side = 0  # 1 on the right-hand side, -1 on the left-hand side, 0 as long as it is not known
        self._last: tuple[Point, float] | None = None  # position, and distance from the line
        self._passing: tuple[Sight, bool] | None = None  # the last change of sides, and whether within the line's ends

    def see(self, point: Point, margin: float, sight: Sight, size: tuple[int, int]) -> tuple[Direction, Sight] | None:
        """Take a position, and say if the person has crossed the line: in which direction, and when.

        Args:
            point: Position of the person, in pixels.
            margin: Distance from the line at which the side is clear, in pixels.
            sight: When the person is there.
            size: Width and height of the picture.
        """
        (x1, y1), (x2, y2) = self._line.pixel_ends(size)
        dx, dy = x2 - x1, y2 - y1
        length = float(dx * dx + dy * dy) ** 0.5
        distance = (dx * (point[1] - y1) - dy * (point[0] - x1)) / length
        if self._last is not None and (self._last[1] > 0) != (distance > 0):
            share = self._last[1] / (self._last[1] - distance)  # of the way from the last position
            x, y = (a + share * (b - a) for a, b in zip(self._last[0], point, strict=True))
            along = (dx * (x - x1) + dy * (y - y1)) / (length * length)
            self._passing = sight, 0 <= along <= 1
        self._last = point, distance
        if abs(distance) <= margin:
            return None
        side = 1 if distance > 0 else -1
        before, self._side = self._side, side
        if before in (0, side) or self._passing is None:
            return None
        at, within = self._passing
        return ("in" if side > 0 else "out", at) if within else None
