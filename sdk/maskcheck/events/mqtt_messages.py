"""What is published on MQTT: the people in view as events in the shape of Frigate's, and counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from maskcheck.events.event import (
    Event,
    LineCrossed,
    PersonEntered,
    PersonLeft,
    ZoneEntered,
    ZoneLeft,
)
from maskcheck.events.source_names import add_unique, plain_name, short_name
from maskcheck.sources.addresses import shown_address

_HAS_MASK = {"with_mask": True, "without_mask": False, "mask_worn_incorrectly": False}

Person = dict[str, Any]


class Count(NamedTuple):
    """A number that is published, and kept by the broker.

    Attributes:
        camera: Name of the camera.
        key: Last levels of its topic: ``person``, a label, ``zones/NAME``, ``lines/NAME/in``.
        title: What it counts, in words.
        grows: Whether it only grows, as the crossings of a line do.
    """

    camera: str
    key: str
    title: str
    grows: bool = False


class MQTTMessages:
    """Keeps the people in view, and makes the payloads of events and counts.

    Args:
        sources: Sources whose counts are there from the start, as 0.
        labels: Labels that are counted from the start.
        zones: Names of the zones.
        lines: Names of the lines.

    Attributes:
        counts: The value of each count now.
    """

    def __init__(
        self,
        sources: Iterable[str | None] = (),
        *,
        labels: Iterable[str] = (),
        zones: Iterable[str] = (),
        lines: Iterable[str] = (),
    ) -> None:
        self.counts: dict[Count, int] = {}
        self._labels, self._zones, self._lines = tuple(labels), tuple(zones), tuple(lines)
        self._cameras: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._people: dict[tuple[str, int], Person] = {}
        for source in sources:
            self.camera(source)

    def camera(self, source: str | None) -> str:
        """Name of the camera in topics; a new one has all its counts from now on."""
        known = source in self._cameras if source is not None else "" in self._cameras
        name = add_unique(self._cameras, source or "", short_name(source))
        if not known:
            self._count(name)
        return name

    def take(self, event: Event, *, has_snapshot: bool = False) -> dict[str, Any]:
        """Take an event, bring the counts up to date, and give the payload: ``type``, ``event``, ``before``, ``after``.

        Args:
            event: The event.
            has_snapshot: Whether a picture of the person is published as well.
        """
        camera = self.camera(event.source)
        key = camera, event.track_id
        known = self._people.get(key)
        # Events of somebody unknown are those after a loss.
        if known is None or isinstance(event, PersonEntered):
            known, kind = _new_person(event, camera), "new"
        else:
            kind = "update"
        person = _after(known, event, has_snapshot=has_snapshot)
        if isinstance(event, PersonLeft):
            kind = "end"
            self._people.pop(key, None)
        else:
            self._people[key] = person
        self._count(camera)
        if isinstance(event, LineCrossed):
            self.counts[self._crossings(camera, event.line, event.direction)] += 1
        before = person if kind == "new" else known
        return {"type": kind, "event": event.kind, "before": before, "after": person}

    def _count(self, camera: str) -> None:
        people = [person for (where, _), person in self._people.items() if where == camera]
        labels, zones = Counter(person["sub_label"] for person in people), Counter[str]()
        for person in people:
            zones.update(person["current_zones"])
        for old in [count for count in self.counts if count.camera == camera and not count.grows]:
            self.counts[old] = 0
        self.counts[Count(camera, "person", "People")] = len(people)
        for label in {*self._labels, *labels}:
            self.counts[Count(camera, self._level(label), label.replace("_", " ").capitalize())] = labels[label]
        for zone in {*self._zones, *zones}:
            self.counts[Count(camera, f"zones/{self._level(zone)}", f"People in {zone}")] = zones[zone]
        for line in self._lines:
            for direction in ("in", "out"):
                self._crossings(camera, line, direction)

    def _crossings(self, camera: str, line: str, direction: str) -> Count:
        count = Count(camera, f"lines/{self._level(line)}/{direction}", f"{line} {direction}", grows=True)
        self.counts.setdefault(count, 0)
        return count

    def _level(self, name: str) -> str:
        """A level of a topic for a label, a zone or a line; labels of strange names do not look like others."""
        return add_unique(self._places, name, plain_name(name) or "unnamed")


def as_json(payload: object) -> bytes:
    """A payload as JSON."""
    return json.dumps(payload, allow_nan=False).encode("ascii")


def _new_person(event: Event, camera: str) -> Person:
    start = _seconds(event)
    return {
        "id": f"{start:.6f}-{camera}-{event.track_id}",
        "camera": camera,
        "source": None if event.source is None else shown_address(event.source),
        "track_id": event.track_id,
        "label": "person",
        "sub_label": event.label,
        "has_mask": _HAS_MASK.get(event.label),
        "score": 0.0,
        "top_score": 0.0,
        "false_positive": False,
        "start_time": start,
        "end_time": None,
        "frame_time": start,
        "box": [],
        "area": 0,
        "current_zones": [],
        "entered_zones": [],
        "crossed_lines": [],
        "has_snapshot": False,
        "has_clip": False,
    }


def _after(person: Person, event: Event, *, has_snapshot: bool) -> Person:
    x1, y1, x2, y2 = event.to_dict()["box"]
    score = round(float(event.confidence), 6)
    after = person | {
        "sub_label": event.label,
        "has_mask": _HAS_MASK.get(event.label),
        "score": score,
        "top_score": max(score, person["top_score"]),
        "frame_time": _seconds(event),
        "box": [x1, y1, x2, y2],
        "area": (x2 - x1) * (y2 - y1),
        "has_snapshot": has_snapshot or person["has_snapshot"],
    }
    if isinstance(event, ZoneEntered):
        after["current_zones"] = [*person["current_zones"], event.zone]
        after["entered_zones"] = list(dict.fromkeys([*person["entered_zones"], event.zone]))
    elif isinstance(event, ZoneLeft):
        after["current_zones"] = [zone for zone in person["current_zones"] if zone != event.zone]
    elif isinstance(event, LineCrossed):
        # The last ones: somebody who walks to and fro for hours must not make each message longer.
        after["crossed_lines"] = [*person["crossed_lines"], f"{event.line}:{event.direction}"][-20:]
    elif isinstance(event, PersonLeft):
        after["end_time"] = after["frame_time"]
    return after


def _seconds(event: Event) -> float:
    """Seconds since 1970 where the date is known, else from the start of the source."""
    return round(event.time if event.clock is None else event.clock.timestamp(), 6)
