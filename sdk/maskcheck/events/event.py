"""What happens in front of a camera: people who enter and leave, masks that come off, zones and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from maskcheck.pictures.box import Box
from maskcheck.pictures.decoding import BGRImage
from maskcheck.results import Face
from maskcheck.results.fields import Fields

EVENT_SCHEMA = "maskcheck-event/1"

Direction: TypeAlias = Literal["in", "out"]

_DIGITS = 6  # of seconds and probabilities in the JSON


@dataclass(frozen=True)
class Event:
    """Something that happened to a person, who is known by the track of the face. Each kind is a subclass.

    Attributes:
        source: Path or address of the video or camera; None if it has no name.
        time: When it happened, in seconds from the start of the source: the onset, not the moment at which it was sure.
        frame: Number of the frame at that time.
        track_id: Number of the person's track.
        label: The face's label, at the moment at which the event was sure.
        confidence: Probability of that label, in [0, 1].
        box: ``(x1, y1, x2, y2)`` of the face in pixels of the upright frame, at `time`.
        crop: The best picture of the face so far, with some surroundings: uint8 (H, W, 3), BGR, read-only. None if the
            results hold no images. It is neither compared nor part of the JSON.
        crop_faces: The faces in the crop, the person's own first; boxes in pixels of the crop. So that a crop can be
            blurred: a neighbour may show in it.
        clock: Date and time of `time`, where the start of the source is known, as for cameras; else None.
    """

    kind: ClassVar[str] = ""

    source: str | None
    time: float
    frame: int
    track_id: int
    label: str
    confidence: float
    box: Box
    crop: BGRImage | None = field(default=None, compare=False, repr=False)
    crop_faces: tuple[Face, ...] = field(default=(), compare=False, repr=False)
    clock: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values in the schema ``maskcheck-event/1``, without the crop; ``clock`` is there if known."""
        content: dict[str, Any] = {
            "schema": EVENT_SCHEMA,
            "event": self.kind,
            "source": self.source,
            "time": round(float(self.time), _DIGITS),
            "frame": int(self.frame),
            "track_id": int(self.track_id),
            "label": self.label,
            "confidence": round(float(self.confidence), _DIGITS),
            "box": list(Face(self.box, self.label, 1.0, {}).pixel_box),
        }
        if self.clock is not None:
            content["clock"] = self.clock.isoformat(timespec="milliseconds")
        for own in fields(self)[len(_SHARED) :]:
            value = getattr(self, own.name)
            content[own.name] = round(value, _DIGITS) if isinstance(value, float) else value
        return content

    @staticmethod
    def from_dict(line: Mapping[str, Any]) -> Event:
        """The event that :meth:`to_dict` gave, from a line of JSON; keys that it does not know are ignored.

        Raises:
            ValueError: Another schema, or a field is missing or has a value of another kind.
        """
        content = Fields(line)
        content.check_schema(EVENT_SCHEMA)
        kind = EVENT_KINDS[content.choice("event", *EVENT_KINDS)]
        x1, y1, x2, y2 = content.numbers("box", 4)
        return kind(
            source=content.optional("source", content.text),
            time=content.number("time"),
            frame=content.size("frame"),
            track_id=content.integer("track_id"),
            label=content.text("label"),
            confidence=content.number("confidence"),
            box=(x1, y1, x2, y2),
            clock=_clock(content.optional("clock", content.text)),
            **kind._own(content),
        )

    @classmethod
    def _own(cls, _content: Fields) -> dict[str, Any]:
        """The fields that only this kind has, from the JSON."""
        return {}


_SHARED = fields(Event)


@dataclass(frozen=True)
class PersonEntered(Event):
    """A person came into view; `time` is the first sight."""

    kind: ClassVar[str] = "person_entered"


@dataclass(frozen=True)
class PersonLeft(Event):
    """A person went out of view; `time` is the last sight.

    Attributes:
        entered: When the person came into view, in seconds from the start of the source.
        seconds: How long the person was in view.
        source_ended: Whether the source ended, or was read no further, while the person was in view.
    """

    kind: ClassVar[str] = "person_left"

    entered: float = field(kw_only=True)
    seconds: float = field(kw_only=True)
    source_ended: bool = field(default=False, kw_only=True)

    @classmethod
    def _own(cls, content: Fields) -> dict[str, Any]:
        return {
            "entered": content.number("entered"),
            "seconds": content.number("seconds"),
            "source_ended": content.boolean("source_ended"),
        }


@dataclass(frozen=True)
class _MaskChanged(Event):
    """`label` is the new one.

    Attributes:
        previous: The label before.
    """

    previous: str = field(kw_only=True)

    @classmethod
    def _own(cls, content: Fields) -> dict[str, Any]:
        return {"previous": content.text("previous")}


@dataclass(frozen=True)
class MaskRemoved(_MaskChanged):
    """A person took the mask off, or below the nose; `label` says which.

    Attributes:
        previous: The label before.
    """

    kind: ClassVar[str] = "mask_removed"


@dataclass(frozen=True)
class MaskPutOn(_MaskChanged):
    """A person put a mask on, or pulled it over the nose.

    Attributes:
        previous: The label before.
    """

    kind: ClassVar[str] = "mask_put_on"


@dataclass(frozen=True)
class ZoneEntered(Event):
    """A person went into a zone, or came into view inside it.

    Attributes:
        zone: Name of the zone.
    """

    kind: ClassVar[str] = "zone_entered"

    zone: str = field(kw_only=True)

    @classmethod
    def _own(cls, content: Fields) -> dict[str, Any]:
        return {"zone": content.text("zone")}


@dataclass(frozen=True)
class ZoneLeft(Event):
    """A person went out of a zone, or out of view inside it.

    Attributes:
        zone: Name of the zone.
        entered: When the person went into the zone, in seconds from the start of the source.
        seconds: How long the person was in the zone.
    """

    kind: ClassVar[str] = "zone_left"

    zone: str = field(kw_only=True)
    entered: float = field(kw_only=True)
    seconds: float = field(kw_only=True)

    @classmethod
    def _own(cls, content: Fields) -> dict[str, Any]:
        return {
            "zone": content.text("zone"),
            "entered": content.number("entered"),
            "seconds": content.number("seconds"),
        }


@dataclass(frozen=True)
class LineCrossed(Event):
    """A person crossed a line.

    Attributes:
        line: Name of the line.
        direction: ``in``: to the right-hand side of who walks from the line's start to its end; else ``out``.
    """

    kind: ClassVar[str] = "line_crossed"

    line: str = field(kw_only=True)
    direction: Direction = field(kw_only=True)

    @classmethod
    def _own(cls, content: Fields) -> dict[str, Any]:
        return {"line": content.text("line"), "direction": content.choice("direction", "in", "out")}


EVENT_KINDS: dict[str, type[Event]] = {
    kind.kind: kind for kind in (PersonEntered, PersonLeft, MaskRemoved, MaskPutOn, ZoneEntered, ZoneLeft, LineCrossed)
}
"""The class of each kind of event, by its name in the JSON."""


def _clock(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"clock: expected a date and time as in ISO 8601, got {text!r}") from None
