"""Whatever the results are, the events of each person make sense: seeded random people, gaps, labels and clocks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from maskcheck import Face, FrameResult
from maskcheck.events import (
    Event,
    Line,
    LineCrossed,
    MaskPutOn,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    Watcher,
    Zone,
    ZoneEntered,
    ZoneLeft,
)

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly", "helmet")


def random_results(seed: int) -> Iterator[FrameResult]:
    """Faces that jump, vanish, change their labels and come back; frames that are missing; a clock that stumbles."""
    dice = np.random.default_rng(seed)
    time = 0.0
    places = dice.uniform(0, 400, (8, 2))
    labels = [str(label) for label in dice.choice(LABELS, 8)]
    for frame in range(600):
        time += float(dice.choice([0.0, 0.04, 0.2, 3.0], p=[0.05, 0.8, 0.14, 0.01]))
        if dice.random() < 0.003:
            time = 0.0  # the camera starts anew
        places = np.clip(places + dice.normal(0, 12, places.shape), 0, 400)
        faces = []
        for track in range(8):
            if dice.random() < 0.02:
                labels[track] = str(dice.choice(LABELS))
            if (frame // 60 + track) % 3 and dice.random() < 0.9:
                x, y = map(float, places[track])
                confidence = float(dice.uniform(0.5, 1))
                faces.append(
                    Face(
                        (x, y, x + 60, y + 80),
                        labels[track],
                        confidence,
                        {labels[track]: confidence, "other": 1 - confidence},
                        track_id=None if dice.random() < 0.05 else track,
                        predicted=bool(dice.random() < 0.1),
                    )
                )
        yield FrameResult(tuple(faces), (460, 480), source="camera", frame=frame, time=time)


@pytest.mark.parametrize("seed", range(8))
def test_the_events_of_each_person_make_sense(seed: int) -> None:
    watcher = Watcher(
        zones=[Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), relative=True)],
        lines=[Line("gate", (0, 0.5), (1, 0.5), relative=True)],
    )
    events: list[Event] = []
    for result in random_results(seed):
        events += watcher.update(result)
        kinds = Counter(type(event) for event in events)
        assert watcher.people == kinds[PersonEntered] - kinds[PersonLeft]
        assert watcher.inside["left"] == kinds[ZoneEntered] - kinds[ZoneLeft]
        assert watcher.labels.total() == watcher.people
    events += watcher.finish()

    assert watcher.people == 0
    crossed = Counter(event.direction for event in events if isinstance(event, LineCrossed))
    assert watcher.counts["gate"] == {"in": crossed["in"], "out": crossed["out"]}
    by_person: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_person[event.track_id].append(event)
    assert len(by_person) == 8
    for own in by_person.values():
        check_one_person(own)
    found = {type(event) for event in events}
    assert found == {PersonEntered, PersonLeft, MaskRemoved, MaskPutOn, ZoneEntered, ZoneLeft, LineCrossed}


def check_one_person(events: list[Event]) -> None:
    entered: Event | None = None
    zone: Event | None = None
    last_change: type[Event] | None = None
    time = 0.0
    for event in events:
        assert Event.from_dict(event.to_dict()).kind == event.kind
        if isinstance(event, PersonEntered):
            assert entered is None
            entered, last_change, time = event, None, event.time
            continue
        assert entered is not None
        assert event.time >= entered.time
        if isinstance(event, PersonLeft):
            assert zone is None
            assert event.time >= time
            assert (event.entered, event.seconds) == (entered.time, event.time - entered.time)
            entered = None
        elif isinstance(event, ZoneEntered):
            assert zone is None
            zone = event
        elif isinstance(event, ZoneLeft):
            assert zone is not None
            assert (event.entered, event.seconds) == (zone.time, event.time - zone.time)
            zone = None
        elif isinstance(event, (MaskRemoved, MaskPutOn)):
            assert type(event) is not last_change
            last_change = type(event)
        time = max(time, event.time)
    assert entered is None
    assert zone is None
