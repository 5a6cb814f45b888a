"""The people of a video: when each was seen, and with which label."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_WITHOUT_MASK = "without_mask"


@dataclass(slots=True)
class Person:
    """A track.

    Attributes:
        track_id: Its number.
        first: When it was seen first, in seconds.
        last: When it was seen last.
        label: Its last label.
        confidence: The best of each label.
        seconds: How long it had each label.
        changes: How often its label changed.
    """

    track_id: int
    first: float
    last: float
    label: str
    confidence: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    changes: int = 0

    def see(self, time: float, label: str, confidence: float) -> None:
        """Note that it was seen."""
        self.last = max(self.last, time)
        self.changes += label != self.label
        self.label = label
        self.confidence[label] = max(confidence, self.confidence.get(label, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        total = sum(self.seconds.values())
        shares = {label: value / total if total else 0.0 for label, value in self.seconds.items()}
        if not total:
            shares[self.label] = 1.0
        return {
            "track_id": self.track_id,
            "first_seen": round(self.first, 6),
            "last_seen": round(self.last, 6),
            "label": self.label,
            "label_changes": self.changes,
            "best_confidence": round(self.confidence[self.label], 6),
            "seconds": round(total, 3),
            "seconds_without_mask": round(self.seconds.get(_WITHOUT_MASK, 0.0), 3),
            "shares": {label: round(share, 4) for label, share in sorted(shares.items())},
        }


class People:
    """All tracks, of which the latest are kept.

    Args:
        most: How many are kept; of the others, only the last label is counted.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[int, Person] = OrderedDict()  # the longest unseen first
        self._left_out: Counter[str] = Counter()

    def see(self, track_id: int, time: float, label: str, confidence: float) -> None:
        """Note that a track was seen."""
        person = self._kept.get(track_id)
        if person is None:
            person = self._kept[track_id] = Person(track_id, time, time, label)
            if len(self._kept) > self._most:
                _, gone = self._kept.popitem(last=False)
                self._left_out[gone.label] += 1
        else:
            self._kept.move_to_end(track_id)
        person.see(time, label, confidence)

    def pass_time(self, seen: Iterable[tuple[int, str]], seconds: float) -> None:
        """Note that tracks had a label for some time."""
        for track_id, label in seen:
            if (person := self._kept.get(track_id)) is not None:
                person.seconds[label] = person.seconds.get(label, 0.0) + seconds

    def count(self) -> dict[str, Any]:
        """How many there are, in all and by their last label."""
        by_label = self._left_out + Counter(person.label for person in self._kept.values())
        return {"total": by_label.total(), "by_label": dict(sorted(by_label.items()))}

    def to_list(self) -> list[dict[str, Any]]:
        """Those that are kept, in the order in which they came, as JSON-ready values."""
        return [person.to_dict() for person in sorted(self._kept.values(), key=lambda one: (one.first, one.track_id))]

    @property
    def left_out(self) -> int:
        """How many are only counted."""
        return self._left_out.total()
