"""One person's stay in view: what the sights of a track amount to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from maskcheck.events.best_crop import BestCrop
from maskcheck.events.debouncing import Debounced, Fall, Sight
from maskcheck.events.event import (
    Event,
    LineCrossed,
    MaskPutOn,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    ZoneEntered,
    ZoneLeft,
)
from maskcheck.events.line_crossing import LineCrossing
from maskcheck.events.settings import WatchSettings
from maskcheck.events.zones import Line, Point, Zone
from maskcheck.pictures.box import Box
from maskcheck.results import Face, FrameResult

Kind = TypeVar("Kind", bound=Event)

_WORN = {"with_mask": True, "without_mask": False}
_INCORRECTLY = "mask_worn_incorrectly"

_LONGEST_CHANGE = 1.5
"""Seconds that a smoothed label may lag behind: a face that became less sure for longer only turned away before."""


class Visit:
    """One person's stay in view. It gives events as soon as they are sure, from the entry on.

    Args:
        track_id: Number of the track.
        zones: Zones that count.
        lines: Lines that count.
        settings: When a change is an event.

    Attributes:
        last: The last sight; None before the first.
        entered: Whether the person has been in view for long enough to have entered.
        label: The last label that was sure, else the last one.
    """

    def __init__(self, track_id: int, zones: Sequence[Zone], lines: Sequence[Line], settings: WatchSettings) -> None:
        self.last: Sight | None = None
        self.entered = False
        self.label = ""
        self._track_id = track_id
        self._settings = settings
        self._source: str | None = None
        self._first: Sight | None = None
        self._confidence = 0.0
        self._at_edge = False
        self._crop = BestCrop(settings.crop_margin, settings.crop_side)
        self._mask: Debounced[bool] = Debounced(settings.mask_after)
        self._certainty = Fall(_LONGEST_CHANGE)  # of the state of the mask
        self._mask_label = ""  # the last one that agrees with the state of the mask
        self._zones: list[tuple[Zone, Debounced[bool]]] = [(zone, Debounced(settings.zone_after)) for zone in zones]
        self._lines = [(line, LineCrossing(line)) for line in lines]
        self._waiting: list[Event] = []  # until the person has entered

    @property
    def leaves_after(self) -> float:
        """Seconds without a sight after which the person has left."""
        if self._at_edge or not self.entered:
            return self._settings.leave_after
        return max(self._settings.leave_after, self._settings.hidden_after)

    @property
    def zones(self) -> tuple[str, ...]:
        """Names of the zones that the person is in."""
        return tuple(zone.name for zone, inside in self._zones if inside.value)

    def see(self, result: FrameResult, face: Face, sight: Sight) -> list[Event]:
        """Take a sight of the person.

        Args:
            result: Of the frame.
            face: The person's face in it, which the detector saw.
            sight: When it was seen.
        """
        self._source = result.source
        self._at_edge = _is_at_edge(face.box, result.size)
        if self._first is None:
            self._first = sight
        sure = face.confidence >= self._settings.min_confidence
        if sure or not self.label:
            self.label, self._confidence = face.label, face.confidence
        changed = self._see_mask(face, sight, sure=sure)
        self._crop.see(result, face, anew=changed is not None)
        if changed is not None:
            kind, since, previous = changed
            self._waiting.append(self._event(kind, since, previous=previous))
        self._see_zones(face, sight, result.size)
        self._see_lines(face, sight, result.size)
        events: list[Event] = []
        if not self.entered and self.last is not None and sight.time - self._first.time >= self._settings.enter_after:
            self.entered = True
            events.append(self._event(PersonEntered, self._first))
        self.last = sight
        if self.entered:
            events += sorted(self._waiting, key=lambda event: event.time)
            self._waiting.clear()
        return events

    def leave(self, *, source_ended: bool = False) -> list[Event]:
        """End the stay at the last sight; a person who has not entered does not leave.

        Args:
            source_ended: Whether nothing is known but that the source ended.
        """
        if not self.entered or self._first is None or self.last is None:
            return []
        events: list[Event] = []
        for zone, inside in self._zones:
            if inside.value:
                inside.value = False
                events.append(self._zone_left(zone, inside.since or self._first, self.last))
        stay = {"entered": self._first.time, "seconds": self.last.time - self._first.time}
        return [*events, self._event(PersonLeft, self.last, source_ended=source_ended, **stay)]

    def _see_mask(
        self, face: Face, sight: Sight, *, sure: bool
    ) -> tuple[type[MaskPutOn | MaskRemoved], Sight, str] | None:
        before, previous = self._mask.value, self._mask_label
        same = [share for label, share in face.probabilities.items() if self._is_worn(label) == before]
        self._certainty.see(sum(same), sight)
        worn = self._is_worn(face.label)
        if worn is None or not sure:
            return None
        changed = self._mask.see(worn, sight, onset=self._certainty.onset() if worn != before else None)
        if self._mask.value == worn:
            self._mask_label = face.label
        if not changed or before is None or self._mask.since is None:
            return None
        return MaskPutOn if worn else MaskRemoved, self._mask.since, previous

    def _is_worn(self, label: str) -> bool | None:
        """Whether a label says that the mask is on; None for a label that says nothing of it."""
        if label == _INCORRECTLY and self._settings.incorrectly_worn != "ignored":
            return self._settings.incorrectly_worn == "worn"
        return _WORN.get(label)

    def _see_zones(self, face: Face, sight: Sight, size: tuple[int, int]) -> None:
        point = _anchor(face, self._settings)
        for zone, inside in self._zones:
            before, since = inside.value, inside.since
            if not inside.see(zone.contains(point, size), sight) or inside.since is None:
                continue
            if inside.value:
                self._waiting.append(self._event(ZoneEntered, inside.since, zone=zone.name))
            elif before and since is not None:
                self._waiting.append(self._zone_left(zone, since, inside.since))

    def _see_lines(self, face: Face, sight: Sight, size: tuple[int, int]) -> None:
        point = _anchor(face, self._settings)
        margin = self._settings.line_margin * max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        for line, crossing in self._lines:
            crossed = crossing.see(point, margin, sight, size)
            if crossed is not None:
                direction, at = crossed
                self._waiting.append(self._event(LineCrossed, at, line=line.name, direction=direction))

    def _zone_left(self, zone: Zone, since: Sight, at: Sight) -> ZoneLeft:
        return self._event(ZoneLeft, at, zone=zone.name, entered=since.time, seconds=at.time - since.time)

    def _event(self, kind: type[Kind], at: Sight, **own: Any) -> Kind:
        return kind(
            source=self._source,
            time=at.time,
            frame=at.frame,
            track_id=self._track_id,
            label=self.label,
            confidence=self._confidence,
            box=at.box,
            crop=self._crop.image,
            crop_faces=self._crop.faces,
            **own,
        )


def _is_at_edge(box: Box, size: tuple[int, int]) -> bool:
    """Whether a face is less than half its side from an edge of the picture: a step more, and nobody sees it."""
    x1, y1, x2, y2 = box
    near = max(x2 - x1, y2 - y1) / 2
    return x1 < near or y1 < near or x2 > size[0] - near or y2 > size[1] - near


def _anchor(face: Face, settings: WatchSettings) -> Point:
    x1, y1, x2, y2 = face.box
    return (x1 + x2) / 2, y2 if settings.anchor == "bottom" else (y1 + y2) / 2
