"""How many people of each label there are over time, in so many buckets at most, however long the video is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_BUCKETS = 600  # a chart of 1,200 pixels shows each
_FIRST_WIDTH = 0.1  # seconds
_ROUNDING = 1e-6  # buckets: what ends where a bucket begins is not in it


@dataclass
class _Bucket:
    """The counts of a while.

    Attributes:
        seconds: How much of it is known.
        sums: People of each label, times the seconds that they were there.
        highest: Most people of each label at once.
        most_people: Most people at once.
    """

    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    highest: Counter[str] = field(default_factory=Counter)
    most_people: int = 0

    def add(self, seconds: float, counts: Counter[str]) -> None:
        """Note that so many people were there for some time."""
        self.seconds += seconds
        for label, count in counts.items():
            self.sums[label] = self.sums.get(label, 0.0) + count * seconds
        self.highest |= counts
        self.most_people = max(self.most_people, counts.total())

    def merge(self, other: _Bucket) -> None:
        """Take over what another one knows."""
        self.seconds += other.seconds
        for label, total in other.sums.items():
            self.sums[label] = self.sums.get(label, 0.0) + total
        self.highest |= other.highest
        self.most_people = max(self.most_people, other.most_people)

    def to_dict(self, time: float) -> dict[str, Any]:
        known = self.seconds > 0
        return {
            "time": round(time, 6),
            "seconds": round(self.seconds, 6),
            "mean": {label: round(total / self.seconds, 4) for label, total in sorted(self.sums.items()) if known},
            "max": dict(sorted(self.highest.items())),
            "max_people": self.most_people,
        }


class Timeline:
    """Counts of people, from the time of the first frame on.

    When the buckets are used up, each two become one. So their number, and the memory, is bounded: an hour has
    buckets of 6.4 seconds, three seconds in buckets of 0.1.
    """

    def __init__(self) -> None:
        self._start: float | None = None
        self._width = _FIRST_WIDTH
        self._buckets: list[_Bucket] = []

    def add(self, time: float, seconds: float, counts: Mapping[str, int]) -> None:
        """Note that so many people were there for some time.

        Args:
            time: When it began, in seconds; where it lies before the first frame, it counts as that.
            seconds: How long it was so.
            counts: People of each label.
        """
        if self._start is None:
            self._start = time
        begin, end = self._places(time, seconds)
        while end > _MOST_BUCKETS:
            self._halve()
            begin, end = self._places(time, seconds)
        first = int(begin + _ROUNDING)
        last = max(first + 1, math.ceil(end - _ROUNDING))
        while len(self._buckets) < last:
            self._buckets.append(_Bucket())
        for index in range(first, last):
            overlap = min(end, index + 1) - max(begin, index)
            self._buckets[index].add(max(0.0, overlap * self._width), Counter(counts))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values. A bucket of which nothing is known is there, too, with 0 seconds."""
        start = self._start or 0.0
        return {
            "start": round(start, 6),
            "bucket_seconds": round(self._width, 6),
            "buckets": [bucket.to_dict(start + index * self._width) for index, bucket in enumerate(self._buckets)],
        }

    def _places(self, time: float, seconds: float) -> tuple[float, float]:
        """Where a while begins and ends, in buckets."""
        begin = max(0.0, (time - (self._start or 0.0)) / self._width)
        return begin, begin + seconds / self._width

    def _halve(self) -> None:
        for bucket, other in zip(self._buckets[::2], self._buckets[1::2], strict=False):
            bucket.merge(other)
        del self._buckets[1::2]
        self._width *= 2
