"""Events of a video or camera, from its results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from maskcheck.events.debouncing import Sight
from maskcheck.events.event import Event, LineCrossed
from maskcheck.events.settings import WatchSettings
from maskcheck.events.visit import Visit
from maskcheck.events.zones import Line, Zone
from maskcheck.results import FrameResult


class Watcher:
    """Reports what happens in front of one camera, or in one video, from the results of its frames.

    Events come as soon as they are sure, which is later than their `time`: those of one person are in order of time,
    those of different persons may not be. Memory grows with the people in view, not with time.

    A result of another source, or one whose time lies before the last one's, starts anew: who was in view has left.
    After a gap without results, as while a camera is away, a person whose track goes on is still there.

    Args:
        zones: Zones that people go into and out of.
        lines: Lines that count who crosses them.
        settings: When a change is an event.
        started: Date and time at which the clock of the source is 0, with a time zone, if known; it may be set later.
            It gives events their ``clock``.

    Raises:
        ValueError: Two zones or lines have the same name.

    Attributes:
        started: As given.
    """

    def __init__(
        self,
        *,
        zones: Iterable[Zone] = (),
        lines: Iterable[Line] = (),
        settings: WatchSettings | None = None,
        started: datetime | None = None,
    ) -> None:
        self.started = started
        self.zones, self.lines = tuple(zones), tuple(lines)
        for kind, places in ((Zone, self.zones), (Line, self.lines)):
            for place in places:
                if not isinstance(place, kind):
                    raise TypeError(
                        f"{kind.__name__.lower()}s: expected a maskcheck.events.{kind.__name__}, got {place!r}"
                    )
        names = Counter([*(zone.name for zone in self.zones), *(line.name for line in self.lines)])
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"expected zones and lines of different names, got {twice[0]!r} {names[twice[0]]} times")
        self._settings = settings or WatchSettings()
        self._visits: dict[int, Visit] = {}
        self._seen_in: dict[int, int] = {}  # number of the last result that had the track
        self._results = 0
        self._source: str | None = None
        self._time = -math.inf
        self._counts = {line.name: {"in": 0, "out": 0} for line in self.lines}

    @property
    def people(self) -> int:
        """How many people are in view now."""
        return sum(visit.entered for visit in self._visits.values())

    @property
    def labels(self) -> Counter[str]:
        """How many people are in view now, by label."""
        return Counter(visit.label for visit in self._visits.values() if visit.entered)

    @property
    def inside(self) -> dict[str, int]:
        """How many people are in each zone now."""
        zones = Counter(name for visit in self._visits.values() if visit.entered for name in visit.zones)
        return {zone.name: zones[zone.name] for zone in self.zones}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many people crossed each line so far: ``{"gate": {"in": 3, "out": 1}}``."""
        return {name: dict(directions) for name, directions in self._counts.items()}

    def update(self, result: FrameResult) -> list[Event]:
        """Take the result of the next frame, and give the events that are sure now.

        Faces without a track are ignored, as are predicted ones: nobody saw them.

        Args:
            result: With tracks, as :meth:`MaskPipeline.track` gives it. If it is of a frame that could not be read,
                nothing happens. If it has an image, events have crops.

        Raises:
            ValueError: The result has no time.
        """
        if result.error is not None:
            return []
        if result.time is None or not math.isfinite(result.time):
            raise ValueError(
                f"expected a result with a time, got {result.time} (frame {result.frame} of {result.source}):"
                " give each Frame its time, in seconds from the start of the source"
            )
        events: list[Event] = []
        if self._results and (result.source != self._source or result.time < self._time):
            events += self._end()
        self._source, self._time = result.source, result.time
        if result.faces and all(face.predicted for face in result.faces):
            return self._finished(events)  # the detector did not run, so nobody was seen, and nobody was missed
        self._results += 1
        for face in result.faces:
            if face.track_id is not None and not face.predicted:
                visit = self._visits.get(face.track_id)
                if visit is None:
                    visit = Visit(face.track_id, self.zones, self.lines, self._settings)
                    self._visits[face.track_id] = visit
                self._seen_in[face.track_id] = self._results
                events += visit.see(result, face, Sight(result.time, result.frame, face.box))
        events += self._leave_who_is_gone(result.time)
        return self._finished(events)

    def finish(self) -> list[Event]:
        """The source has ended, or is read no further: who is in view leaves, marked ``source_ended``."""
        return self._finished(self._end())

    def _leave_who_is_gone(self, time: float) -> list[Event]:
        events: list[Event] = []
        for track_id, visit in list(self._visits.items()):
            missed = self._results - self._seen_in[track_id]
            # One frame without the person, after a long gap between frames, says little.
            if missed >= 2 and visit.last is not None and time - visit.last.time >= visit.leaves_after:
                events += visit.leave()
                del self._visits[track_id], self._seen_in[track_id]
        return events

    def _end(self) -> list[Event]:
        events: list[Event] = []
        for visit in self._visits.values():
            if visit.last is not None:
                in_view = self._time - visit.last.time <= self._settings.enter_after
                events += visit.leave(source_ended=in_view)
        self._visits.clear()
        self._seen_in.clear()
        return events

    def _finished(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, LineCrossed):
                self._counts[event.line][event.direction] += 1
        if self.started is None:
            return events
        return [replace(event, clock=self.started + timedelta(seconds=event.time)) for event in events]
