"""A watcher turns the results of frames into events: one for each thing that really happens, at the time it began."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from maskcheck import Face, FrameResult, ImageError
from maskcheck.events import (
    Event,
    Line,
    LineCrossed,
    MaskPutOn,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    Watcher,
    WatchSettings,
    Zone,
    ZoneEntered,
    ZoneLeft,
)

BOX = (100.0, 100.0, 160.0, 180.0)
RATE = 25.0


def face(
    label: str = "with_mask",
    *,
    track: int | None = 1,
    confidence: float = 0.95,
    box: tuple[float, float, float, float] = BOX,
    predicted: bool = False,
) -> Face:
    rest = {"with_mask": 1 - confidence, "without_mask": 1 - confidence}
    return Face(box, label, confidence, rest | {label: confidence}, 0.9, track_id=track, predicted=predicted)


def result(frame: int, *faces: Face, source: str = "door.mp4", rate: float = RATE, **fields: Any) -> FrameResult:
    return FrameResult(faces, (640, 480), source=source, frame=frame, time=fields.pop("time", frame / rate), **fields)


def watch(
    frames: int, faces_of: Callable[[int], Iterable[Face]], *, watcher: Watcher | None = None, rate: float = RATE
) -> list[Event]:
    """The events of so many frames, and of their end."""
    watcher = watcher or Watcher()
    events = [event for frame in range(frames) for event in watcher.update(result(frame, *faces_of(frame), rate=rate))]
    return events + watcher.finish()


def kinds(events: Iterable[Event]) -> list[str]:
    return [event.kind for event in events]


def test_a_person_enters_at_the_first_sight_and_leaves_at_the_last() -> None:
    entered, left = watch(100, lambda frame: [face()] if 10 <= frame <= 50 else [])

    assert isinstance(entered, PersonEntered)
    assert (entered.time, entered.frame, entered.track_id, entered.label) == (0.4, 10, 1, "with_mask")
    assert isinstance(left, PersonLeft)
    assert (left.time, left.frame, left.entered, left.source_ended) == (2.0, 50, 0.4, False)
    assert left.seconds == pytest.approx(1.6)


def test_events_come_as_soon_as_they_are_sure() -> None:
    watcher = Watcher(settings=WatchSettings(enter_after=0.2, leave_after=0.4, hidden_after=0.4))
    told = {}
    for frame in range(60):
        for event in watcher.update(result(frame, *([face()] if frame <= 30 else []))):
            told[event.kind] = frame / RATE - event.time

    assert told == {"person_entered": pytest.approx(0.2), "person_left": pytest.approx(0.4)}


def test_a_person_who_is_in_view_when_the_source_ends_leaves_marked_so() -> None:
    _, left = watch(50, lambda _: [face()])

    assert isinstance(left, PersonLeft)
    assert left.source_ended


def test_a_person_who_went_out_of_view_just_before_the_end_has_left() -> None:
    _, left = watch(50, lambda frame: [face()] if frame < 35 else [])

    assert isinstance(left, PersonLeft)
    assert not left.source_ended


def test_a_face_that_flashes_up_is_no_person() -> None:
    assert watch(100, lambda frame: [face()] if frame in (10, 11, 12) else []) == []


def test_a_person_who_is_missed_for_a_moment_has_not_left() -> None:
    assert kinds(watch(100, lambda frame: [] if 30 <= frame < 50 else [face()])) == ["person_entered", "person_left"]


def test_a_predicted_face_is_not_seen() -> None:
    entered, _, left, _ = watch(150, lambda frame: [face(predicted=frame > 50), face(track=2, box=(0, 0, 50, 60))])

    assert (entered.track_id, left.track_id) == (1, 1)
    assert (entered.kind, left.kind, left.time) == ("person_entered", "person_left", 2.0)


@pytest.mark.parametrize("every", [2, 5, 15])
def test_nobody_is_missed_in_frames_that_the_detector_does_not_get(every: int) -> None:
    labels = ["with_mask" if frame < 75 else "without_mask" for frame in range(150)]

    events = watch(150, lambda frame: [face(labels[frame], predicted=frame % every > 0)])

    assert kinds(events) == ["person_entered", "mask_removed", "person_left"]
    assert events[1].time == pytest.approx(3.0, abs=every / RATE)


def test_who_is_hidden_behind_another_has_not_left() -> None:
    hidden = range(50, 90)
    at_the_edge = (600.0, 100.0, 640.0, 180.0)

    assert len(watch(150, lambda frame: [] if frame in hidden else [face()])) == 2
    assert len(watch(150, lambda frame: [] if frame in hidden else [face(box=at_the_edge)])) == 4


def test_faces_without_a_track_give_no_events() -> None:
    assert watch(50, lambda _: [face(track=None)]) == []


def test_a_track_that_comes_back_enters_again() -> None:
    events = watch(200, lambda frame: [] if 50 <= frame < 120 else [face()])

    assert kinds(events) == ["person_entered", "person_left", "person_entered", "person_left"]
    assert [event.time for event in events] == [0.0, 1.96, 4.8, 7.96]


def test_people_are_told_apart() -> None:
    events = watch(100, lambda frame: [face(track=1)] + ([face("without_mask", track=2)] if frame >= 25 else []))

    assert [(event.track_id, event.kind, event.label) for event in events] == [
        (1, "person_entered", "with_mask"),
        (2, "person_entered", "without_mask"),
        (1, "person_left", "with_mask"),
        (2, "person_left", "without_mask"),
    ]


def test_a_mask_is_removed_and_put_on_at_the_onset() -> None:
    events = watch(150, lambda frame: [face("without_mask" if 50 <= frame < 100 else "with_mask")])

    assert kinds(events) == ["person_entered", "mask_removed", "mask_put_on", "person_left"]
    removed, put_on = events[1:3]
    assert isinstance(removed, MaskRemoved)
    assert (removed.time, removed.label, removed.previous) == (2.0, "without_mask", "with_mask")
    assert isinstance(put_on, MaskPutOn)
    assert (put_on.time, put_on.label, put_on.previous) == (4.0, "with_mask", "without_mask")


@pytest.mark.parametrize("smoothing", [0.2, 0.1, 0.05])
def test_the_onset_is_found_behind_a_label_that_is_smoothed_over_time(smoothing: float) -> None:
    dice = np.random.default_rng(0)
    share = 0.95

    def faces_of(frame: int) -> list[Face]:
        nonlocal share
        share += smoothing * ((0.05 if frame >= 75 else 0.95) + dice.normal(0, 0.02) - share)
        label = "with_mask" if share > 0.4 else "without_mask"
        confidence = share if label == "with_mask" else 1 - share
        return [Face(BOX, label, confidence, {"with_mask": share, "without_mask": 1 - share}, 0.9, track_id=1)]

    _, removed, _ = watch(150, faces_of)

    assert removed.kind == "mask_removed"
    assert removed.time == pytest.approx(3.0, abs=0.1)


def test_a_face_that_slowly_turns_away_before_the_mask_comes_off_hardly_shifts_the_onset() -> None:
    shares = [*np.linspace(0.99, 0.7, 100), *[0.05] * 50]

    def faces_of(frame: int) -> list[Face]:
        share = float(shares[frame])
        label = "with_mask" if share > 0.5 else "without_mask"
        return [Face(BOX, label, max(share, 1 - share), {"with_mask": share, "without_mask": 1 - share}, track_id=1)]

    _, removed, _ = watch(150, faces_of)

    assert removed.time == pytest.approx(4.0, abs=0.1)


def test_a_label_that_flickers_is_no_change() -> None:
    events = watch(200, lambda frame: [face("without_mask" if frame % 10 < 4 else "with_mask")])

    assert kinds(events) == ["person_entered", "person_left"]


def test_a_label_that_changes_before_it_has_held_is_no_change() -> None:
    events = watch(100, lambda frame: [face("without_mask" if frame < 4 else "with_mask")])

    assert kinds(events) == ["person_entered", "person_left"]


def test_an_unsure_face_says_nothing_of_the_mask() -> None:
    events = watch(100, lambda frame: [face("without_mask", confidence=0.55) if frame > 40 else face()])

    assert kinds(events) == ["person_entered", "person_left"]
    assert events[1].label == "with_mask"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("removed", ["mask_removed", "mask_put_on"]), ("worn", []), ("ignored", [])],
)
def test_a_mask_below_the_nose_counts_as_the_setting_says(setting: Any, expected: list[str]) -> None:
    watcher = Watcher(settings=WatchSettings(incorrectly_worn=setting))

    events = watch(
        150, lambda frame: [face("mask_worn_incorrectly" if 50 <= frame < 100 else "with_mask")], watcher=watcher
    )

    assert kinds(events)[1:-1] == expected


def test_a_mask_that_was_worn_wrong_before_it_came_off_is_removed_once() -> None:
    labels = ["with_mask"] * 50 + ["mask_worn_incorrectly"] * 50 + ["without_mask"] * 50 + ["with_mask"] * 50

    events = watch(200, lambda frame: [face(labels[frame])])

    changes = [event for event in events if isinstance(event, (MaskRemoved, MaskPutOn))]
    assert [(event.kind, event.label, event.previous) for event in changes] == [
        ("mask_removed", "mask_worn_incorrectly", "with_mask"),
        ("mask_put_on", "with_mask", "without_mask"),
    ]


def test_labels_of_another_model_give_no_mask_events() -> None:
    events = watch(100, lambda frame: [face("helmet" if frame < 50 else "no_helmet")])

    assert kinds(events) == ["person_entered", "person_left"]
    assert [event.label for event in events] == ["helmet", "no_helmet"]


def test_frames_that_could_not_be_read_change_nothing() -> None:
    watcher = Watcher()
    events = []
    for frame in range(50):
        error = ImageError("cut") if frame % 2 else None
        events += watcher.update(result(frame, *([] if error else [face()]), error=error))

    assert kinds(events) == ["person_entered"]


def test_results_without_a_time_are_refused() -> None:
    with pytest.raises(ValueError, match="give each Frame its time"):
        Watcher().update(FrameResult((face(),), (640, 480), source="a.jpg"))


def test_a_person_is_still_there_after_the_camera_was_away() -> None:
    watcher = Watcher()
    events = [event for frame in range(50) for event in watcher.update(result(frame, face()))]
    events += [
        event for frame in range(50) for event in watcher.update(result(50 + frame, face(), time=12 + frame / 25))
    ]

    assert kinds(events) == ["person_entered"]


def test_a_person_who_is_gone_after_the_camera_was_away_left_at_the_last_sight() -> None:
    watcher = Watcher()
    events = [event for frame in range(50) for event in watcher.update(result(frame, face()))]
    for frame in range(50):
        events += watcher.update(result(50 + frame, face(track=2), time=12 + frame / 25))

    assert [(event.kind, event.track_id, event.time) for event in events] == [
        ("person_entered", 1, 0.0),
        ("person_left", 1, 1.96),
        ("person_entered", 2, 12.0),
    ]


@pytest.mark.parametrize("again", ["other.mp4", "door.mp4"], ids=["source", "clock"])
def test_another_source_or_a_clock_that_goes_back_starts_anew(again: str) -> None:
    watcher = Watcher()
    events = [event for frame in range(50) for event in watcher.update(result(frame, face()))]
    events += [event for frame in range(50) for event in watcher.update(result(frame, face(), source=again))]

    assert kinds(events) == ["person_entered", "person_left", "person_entered"]
    assert [event.source for event in events] == ["door.mp4", "door.mp4", again]


@pytest.mark.parametrize("rate", [0.5, 2.0, 5.0, 60.0])
def test_events_do_not_depend_on_the_frame_rate(rate: float) -> None:
    frames = round(120 * rate)

    def faces_of(frame: int) -> list[Face]:
        time = frame / rate
        return [face("without_mask" if 40 <= time < 80 else "with_mask")] if 10 <= time <= 110 else []

    events = watch(frames, faces_of, rate=rate)

    assert [(event.kind, event.time) for event in events] == [
        ("person_entered", 10),
        ("mask_removed", 40),
        ("mask_put_on", 80),
        ("person_left", 110),
    ]


def test_a_zone_is_entered_and_left_at_the_onset() -> None:
    watcher = Watcher(zones=[Zone("door", ((200, 0), (400, 0), (400, 480), (200, 480)))])
    inside = []

    def faces_of(frame: int) -> list[Face]:  # to the right, 5 pixels a frame
        inside.append(watcher.inside["door"])
        return [face(box=(5 * frame - 30, 100, 5 * frame + 30, 180))]

    events = watch(128, faces_of, watcher=watcher)

    assert kinds(events) == ["person_entered", "zone_entered", "zone_left", "person_left"]
    entered, left = events[1:3]
    assert isinstance(entered, ZoneEntered)
    assert (entered.zone, entered.frame) == ("door", 40)
    assert isinstance(left, ZoneLeft)
    assert (left.zone, left.frame, left.entered) == ("door", 80, 1.6)
    assert left.seconds == pytest.approx(1.6)
    assert sorted(set(inside)) == [0, 1]
    assert inside[-1] == 0


def test_a_person_who_leaves_inside_a_zone_leaves_the_zone_first() -> None:
    watcher = Watcher(zones=[Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1)), relative=True)])

    events = watch(100, lambda frame: [face()] if frame <= 50 else [], watcher=watcher)

    assert [(event.kind, event.time) for event in events] == [
        ("person_entered", 0.0),
        ("zone_entered", 0.0),
        ("zone_left", 2.0),
        ("person_left", 2.0),
    ]


def walk(positions: Iterable[float], *, track: int = 1) -> list[list[Face]]:
    """A face whose centre is at these heights."""
    return [[face(track=track, box=(300, y - 40, 360, y + 40))] for y in positions]


GATE = Line("gate", (0, 240), (640, 240))


def test_a_line_counts_each_crossing_with_its_direction() -> None:
    watcher = Watcher(lines=[GATE])
    way = walk([*range(100, 400, 6), *range(400, 100, -6)])

    events = watch(len(way), lambda frame: way[frame], watcher=watcher)

    crossed = [event for event in events if isinstance(event, LineCrossed)]
    assert [(event.line, event.direction, event.frame) for event in crossed] == [
        ("gate", "in", 24),
        ("gate", "out", 77),
    ]
    assert watcher.counts == {"gate": {"in": 1, "out": 1}}


def test_who_trembles_on_a_line_is_counted_once() -> None:
    watcher = Watcher(lines=[GATE])
    noise = np.random.default_rng(0).normal(0, 3, 300)
    way = walk([*range(100, 240, 5), *(240 + noise), *range(240, 400, 5)])

    watch(len(way), lambda frame: way[frame], watcher=watcher)

    assert watcher.counts == {"gate": {"in": 1, "out": 0}}


def test_who_turns_back_at_a_line_is_not_counted() -> None:
    watcher = Watcher(lines=[GATE])
    way = walk([*range(100, 244, 4), *range(244, 100, -4)])

    watch(len(way), lambda frame: way[frame], watcher=watcher)

    assert watcher.counts == {"gate": {"in": 0, "out": 0}}


def test_who_walks_around_the_end_of_a_line_is_not_counted() -> None:
    watcher = Watcher(lines=[Line("gate", (0, 240), (200, 240))])
    way = walk(range(100, 400, 5))

    watch(len(way), lambda frame: way[frame], watcher=watcher)

    assert watcher.counts == {"gate": {"in": 0, "out": 0}}


def test_who_crosses_before_having_entered_is_counted_after_it() -> None:
    watcher = Watcher(lines=[GATE])
    way = walk([180, 300, *[320] * 30])

    events = watch(len(way), lambda frame: way[frame], watcher=watcher)

    assert kinds(events)[:2] == ["person_entered", "line_crossed"]


@pytest.mark.parametrize("places", [{"zones": [GATE]}, {"lines": ["gate=1,2,3,4"]}])
def test_what_is_no_zone_or_line_is_refused(places: Any) -> None:
    with pytest.raises(TypeError, match=r"(zones|lines): expected a maskcheck.events.(Zone|Line), got"):
        Watcher(**places)


def test_places_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="different names, got 'gate' 2 times"):
        Watcher(zones=[Zone("gate", ((0, 0), (9, 0), (9, 9)))], lines=[GATE])


def test_the_watcher_says_who_is_there_now() -> None:
    watcher = Watcher()
    for frame in range(20):
        watcher.update(result(frame, face(), face("without_mask", track=2), face(track=3)))

    assert watcher.people == 3
    assert watcher.labels == {"with_mask": 2, "without_mask": 1}


def test_memory_does_not_grow_with_the_people_who_were_there() -> None:
    watcher = Watcher(zones=[Zone("door", ((0, 0), (640, 0), (640, 480)))], lines=[GATE])
    sizes = []
    for frame in range(3000):
        watcher.update(result(frame, face(track=frame // 10)))
        sizes.append(len(pickle.dumps(watcher)))

    assert max(sizes[2000:]) < 1.1 * max(sizes[500:1000])


def image_with(*, sharp: bool) -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = np.full((480, 640, 3), 127, np.uint8)
    if sharp:
        image[100:180:2, 100:160] = 255
    return image


def test_the_crop_is_the_best_so_far() -> None:
    watcher = Watcher()
    for frame in range(30):
        events = watcher.update(result(frame, face(), image=image_with(sharp=frame == 3)))
        if events:
            break

    (entered,) = events
    assert entered.crop is not None
    assert entered.crop.max() == 255
    assert entered.crop.shape == (144, 124, 3)  # 80 % more than the longer side, on both axes
    assert entered.crop.base is None
    assert [other.box for other in entered.crop_faces] == [(32, 32, 92, 112)]


def test_the_crop_of_a_mask_change_shows_the_face_after_it() -> None:
    watcher = Watcher()
    events: list[Event] = []
    for frame in range(60):
        masked = frame < 30
        events += watcher.update(
            result(frame, face("with_mask" if masked else "without_mask"), image=image_with(sharp=masked))
        )

    assert kinds(events) == ["person_entered", "mask_removed"]
    assert [event.crop.max() for event in events if event.crop is not None] == [255, 127]


def test_large_crops_are_shrunk_and_neighbours_are_known() -> None:
    big, neighbour = face(box=(100, 50, 500, 450)), face(track=2, box=(520, 100, 600, 200))
    watcher = Watcher(settings=WatchSettings(crop_side=100))
    events: list[Event] = []
    for frame in range(10):
        events += watcher.update(result(frame, big, neighbour, image=np.zeros((480, 640, 3), np.uint8)))

    crop = events[0].crop
    assert crop is not None
    assert max(crop.shape) == 100
    assert [other.track_id for other in events[0].crop_faces] == [1, 2]
    assert all(0 <= edge <= 101 for other in events[0].crop_faces for edge in other.box)


def test_without_images_there_are_no_crops() -> None:
    assert all(event.crop is None for event in watch(50, lambda _: [face()]))


def test_live_events_have_a_date_and_time() -> None:
    watcher = Watcher(started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    entered, _ = watch(50, lambda frame: [face()] if frame >= 25 else [], watcher=watcher)

    assert entered.clock == datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    assert entered.to_dict()["clock"] == "2026-01-02T03:04:06.000+00:00"


@pytest.mark.parametrize(
    "values",
    [{"enter_after": -1}, {"leave_after": float("nan")}, {"min_confidence": 2}, {"anchor": "top"}, {"crop_side": 0}],
    ids=str,
)
def test_settings_out_of_their_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))}: expected"):
        WatchSettings(**values)
