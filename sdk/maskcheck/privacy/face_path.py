"""Where a face is between, before and after the frames of a video in which it was found."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from maskcheck.pictures.box import Box

_SPEED_OVER = 0.3  # seconds, over which the speed of a face is measured: of two frames, it would be noise
_LONG_GAP = 0.2  # seconds; shorter ones are between two frames that the detector gets
_GROWTH = 0.3  # of its longer side, and of the way it goes, by which a box grows on each side in a second of not seeing


class FacePath:
    """The boxes of one track, 25 bytes each."""

    def __init__(self) -> None:
        self._times = array("d")
        self._edges = array("f")  # four for each time
        self._clear = array("b")  # whether the face need not be blurred

    @property
    def first(self) -> float:
        """Seconds, when it was first found."""
        return self._times[0]

    @property
    def last(self) -> float:
        """Seconds, when it was last found."""
        return self._times[-1]

    def add(self, time: float, box: Box, *, clear: bool) -> None:
        """Add where the face was found, later than before."""
        self._times.append(time)
        self._edges.extend(box)
        self._clear.append(clear)

    def forget(self, before: float) -> None:
        """Drop what was found earlier, except for what speed and label just before then need."""
        drop = bisect_left(self._times, before - _SPEED_OVER) - 1
        if drop > 0:
            del self._times[:drop]
            del self._edges[: 4 * drop]
            del self._clear[:drop]

    def is_clear(self, time: float, around: float) -> bool:
        """Whether the face need not be blurred, as everything found in `around` seconds before and after says.

        What was found last before that time and first after it counts, however long ago it was.
        """
        place = bisect_left(self._times, time)
        first = min(bisect_left(self._times, time - around), max(place - 1, 0))
        end = max(bisect_right(self._times, time + around), place + 1)
        return 0 not in self._clear[first:end]

    def boxes(self, time: float, hold: float, growth: float = 1.0) -> list[Box]:
        """Where the face is, or may be; the longer it was not seen, the larger the box. None after `hold` seconds.

        Before the first time that it was found, and after the last, it goes on with its speed. In a longer gap, it is
        also where either side leads to: a tracker may have taken one face for the other.

        Args:
            time: Seconds.
            hold: For how many seconds a box counts where the face was not found.
            growth: How fast a box grows meanwhile; 1 is usual.
        """
        after = bisect_left(self._times, time)
        if after < len(self._times) and self._times[after] == time:
            return [self._box(after)]
        inside = 0 < after < len(self._times)
        boxes = [self._between(after, time, growth)] if inside else []
        if not inside or self._times[after] - self._times[after - 1] > _LONG_GAP:
            for seen, speed in ((after - 1, self._speed_before), (after, self._speed_after)):
                if 0 <= seen < len(self._times) and abs(elapsed := time - self._times[seen]) <= hold:
                    boxes.append(_grown(self._box(seen), speed(seen), elapsed, abs(elapsed) * growth))
        return boxes

    def _between(self, after: int, time: float, growth: float) -> Box:
        """The box on the way between two times."""
        start, end = self._times[after - 1], self._times[after]
        share = (time - start) / (end - start)
        old, new = self._box(after - 1), self._box(after)
        x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(old, new, strict=True))
        unseen = min(time - start, end - time) * growth
        return _grown((x1, y1, x2, y2), _speed(old, new, end - start), 0.0, unseen)

    def _box(self, place: int) -> Box:
        x1, y1, x2, y2 = self._edges[4 * place : 4 * place + 4]
        return x1, y1, x2, y2

    def _speed_before(self, place: int) -> tuple[float, float]:
        """Pixels a second of its centre, when it was found for the last time before a gap."""
        return self._speed(bisect_left(self._times, self._times[place] - _SPEED_OVER), place)

    def _speed_after(self, place: int) -> tuple[float, float]:
        """Pixels a second of its centre, when it was found for the first time after a gap."""
        return self._speed(place, bisect_right(self._times, self._times[place] + _SPEED_OVER) - 1)

    def _speed(self, first: int, last: int) -> tuple[float, float]:
        if first == last:
            return 0.0, 0.0
        return _speed(self._box(first), self._box(last), self._times[last] - self._times[first])


class LoneBoxes:
    """Boxes of faces that belong to no track. Each is blurred for a while before and after, where it was found."""

    def __init__(self) -> None:
        self._times = array("d")
        self._edges = array("f")

    def add(self, time: float, box: Box) -> None:
        """Add where a face was found, not earlier than the one before it."""
        self._times.append(time)
        self._edges.extend(box)

    def forget(self, before: float) -> None:
        """Drop what was found earlier."""
        drop = bisect_left(self._times, before)
        if drop:
            del self._times[:drop]
            del self._edges[: 4 * drop]

    def boxes(self, time: float, hold: float, growth: float = 1.0) -> Iterator[Box]:
        """Those that were found in `hold` seconds before or after a time."""
        for place in range(bisect_left(self._times, time - hold), bisect_right(self._times, time + hold)):
            x1, y1, x2, y2 = self._edges[4 * place : 4 * place + 4]
            yield _grown((x1, y1, x2, y2), (0.0, 0.0), 0.0, abs(self._times[place] - time) * growth)


def _speed(old: Box, new: Box, seconds: float) -> tuple[float, float]:
    """Pixels a second of the centre between two boxes, across and down."""
    return (new[0] + new[2] - old[0] - old[2]) / 2 / seconds, (new[1] + new[3] - old[1] - old[3]) / 2 / seconds


def _grown(box: Box, speed: tuple[float, float], elapsed: float, unseen: float) -> Box:
    """A box that moves for `elapsed` seconds, and grows for `unseen` seconds."""
    x1, y1, x2, y2 = box
    across, down = speed
    side = max(x2 - x1, y2 - y1)
    wider, higher = _GROWTH * (side + abs(across)) * unseen, _GROWTH * (side + abs(down)) * unseen
    return (
        x1 + across * elapsed - wider,
        y1 + down * elapsed - higher,
        x2 + across * elapsed + wider,
        y2 + down * elapsed + higher,
    )
