"""Every event as JSON follows the JSON Schema that ``maskcheck schema event`` prints, and can be read back."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

from maskcheck.commands import main
from maskcheck.events import (
    Event,
    LineCrossed,
    MaskPutOn,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    ZoneEntered,
    ZoneLeft,
)

SHARED: dict[str, Any] = {
    "source": "door.mp4",
    "time": 1.25,
    "frame": 31,
    "track_id": 7,
    "label": "with_mask",
    "confidence": 0.75,
    "box": (10.0, 20.0, 50.0, 55.0),
}
EVENTS = [
    PersonEntered(**SHARED),
    PersonLeft(**SHARED, entered=0.25, seconds=1.0, source_ended=True),
    MaskRemoved(**SHARED, previous="without_mask"),
    MaskPutOn(**SHARED | {"source": None}, previous="without_mask"),
    ZoneEntered(**SHARED, zone="door"),
    ZoneLeft(**SHARED, zone="door", entered=0.5, seconds=0.75),
    LineCrossed(**SHARED, line="gate", direction="out", clock=datetime(2026, 1, 2, tzinfo=UTC)),
]


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    printed = CliRunner().invoke(main, ["schema", "event"], catch_exceptions=False)
    content = json.loads(printed.stdout)
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_every_kind_of_event_follows_the_schema_and_can_be_read_back(
    schema: Draft202012Validator, event: Event
) -> None:
    line = json.loads(json.dumps(event.to_dict(), allow_nan=False))

    schema.validate(line)
    assert Event.from_dict(line) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert hash(event) == hash(Event.from_dict(line))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_the_schema_and_the_reader_refuse_events_that_lack_a_field(schema: Draft202012Validator, event: Event) -> None:
    line = event.to_dict()
    for key in line.keys() - {"clock"}:
        rest = {name: value for name, value in line.items() if name != key}
        with pytest.raises(ValidationError):
            schema.validate(rest)
        if key != "source":
            with pytest.raises(ValueError, match=key):
                Event.from_dict(rest)


def test_a_crop_is_neither_compared_nor_part_of_the_json() -> None:
    event = PersonEntered(**SHARED, crop=np.zeros((4, 4, 3), np.uint8))

    assert event == PersonEntered(**SHARED)
    assert "crop" not in event.to_dict()
