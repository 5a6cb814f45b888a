"""Places in a picture: zones that people are in, and lines that they cross."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Zone:
    """A part of the picture. A person is in it if the centre of the face's box is, or its chin: the setting `anchor`.

    Args:
        name: Its name in events.
        points: Corners of a polygon in order, three or more, each ``(x, y)`` in pixels of the upright picture.
        relative: Whether the points are shares of the picture's width and height, in [0, 1].

    Raises:
        ValueError: No name, or points that are no polygon.
    """

    name: str
    points: tuple[Point, ...]
    relative: bool = False

    def __post_init__(self) -> None:
        points = checked_points(self.name, "zone", self.points, relative=self.relative)
        if len(points) < 3:
            raise ValueError(f"zone {self.name!r}: expected three points or more, got {len(points)}")
        if np.linalg.matrix_rank(np.subtract(points, points[0])) < 2:
            raise ValueError(f"zone {self.name!r}: expected points that enclose an area, got {list(points)}")
        object.__setattr__(self, "points", points)

    def pixel_points(self, size: tuple[int, int]) -> tuple[Point, ...]:
        """Its corners in pixels of a picture of that width and height."""
        return in_pixels(self.points, size, relative=self.relative)

    def contains(self, point: Point, size: tuple[int, int]) -> bool:
        """Whether a point, in pixels, is inside; where the polygon crosses itself, by the even-odd rule.

        Args:
            point: ``(x, y)``.
            size: Width and height of the picture.
        """
        x, y = point
        corners = self.pixel_points(size)
        inside = False
        for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
        return inside


@dataclass(frozen=True)
class Line:
    """A line that counts who crosses it.

    Who crosses to the right-hand side of a walk from `start` to `end` goes in, who crosses to the left-hand side goes
    out: over a line from left to right, people who move down the picture go in. Swap the ends to swap the directions.

    Args:
        name: Its name in events.
        start: ``(x, y)`` in pixels of the upright picture.
        end: ``(x, y)`` in pixels.
        relative: Whether the points are shares of the picture's width and height, in [0, 1].

    Raises:
        ValueError: No name, or the ends are one point.
    """

    name: str
    start: Point
    end: Point
    relative: bool = False

    def __post_init__(self) -> None:
        start, end = checked_points(self.name, "line", (self.start, self.end), relative=self.relative)
        if start == end:
            raise ValueError(f"line {self.name!r}: expected two different points, got {start} twice")
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", end)

    def pixel_ends(self, size: tuple[int, int]) -> tuple[Point, Point]:
        """Start and end in pixels of a picture of that width and height."""
        start, end = in_pixels((self.start, self.end), size, relative=self.relative)
        return start, end


def checked_points(name: str, what: str, points: Iterable[Sequence[float]], *, relative: bool) -> tuple[Point, ...]:
    """Points as pairs of finite numbers.

    Raises:
        ValueError: They are something else, or there is no name.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{what}: expected a name, got {name!r}")
    try:
        pairs = tuple((float(x), float(y)) for x, y in points)
    except (TypeError, ValueError):
        raise ValueError(f"{what} {name!r}: expected points as pairs (x, y), got {points!r}") from None
    for pair in pairs:
        if not all(map(math.isfinite, pair)):
            raise ValueError(f"{what} {name!r}: expected finite numbers, got {pair}")
        if relative and not all(0 <= share <= 1 for share in pair):
            raise ValueError(f"{what} {name!r}: expected shares of the picture, from 0 to 1, got {pair}")
    return pairs


def in_pixels(points: Iterable[Point], size: tuple[int, int], *, relative: bool) -> tuple[Point, ...]:
    """Points in pixels of a picture of that width and height."""
    width, height = size if relative else (1, 1)
    return tuple((x * width, y * height) for x, y in points)
