"""Faces keep their numbers and labels from frame to frame."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.errors import ImageError, PackageNotInstalled
from maskcheck.results import Face, FrameResult
from maskcheck.tracking import FaceTracker, ResultTracker, TrackingSettings, TrackLabels

SIZE = (640, 480)


def face(x: float, y: float = 200.0, side: float = 40.0, mask: float = 0.9, score: float = 0.9) -> Face:
    label = "with_mask" if mask >= 0.5 else "without_mask"
    probabilities = {"with_mask": mask, "without_mask": 1 - mask}
    return Face((x, y, x + side, y + side), label, probabilities[label], probabilities, score)


def frame(index: int, time: float | None, *faces: Face) -> FrameResult:
    return FrameResult(faces, SIZE, frame=index, time=time)


def ids(result: FrameResult) -> list[int | None]:
    return [each.track_id for each in result]


def boxes(*corners: tuple[float, float], side: float = 40.0) -> NDArray[np.float64]:
    return np.array([(x, y, x + side, y + side) for x, y in corners], np.float64).reshape(-1, 4)


@pytest.mark.parametrize("rate", [5, 10, 25, 30, 60])
def test_two_faces_that_cross_keep_their_numbers_at_any_frame_rate(rate: int) -> None:
    tracker = FaceTracker()
    for index in range(4 * rate + 1):
        time = index / rate
        numbers = tracker.update(boxes((100 + 60 * time, 200), (340 - 60 * time, 215)), np.ones(2, np.float32), time)
        assert numbers == [1, 2], f"at {time} s"


def test_a_face_keeps_its_number_at_a_variable_frame_rate_with_frames_missing() -> None:
    random = np.random.default_rng(3)
    tracker = FaceTracker()
    for time in np.cumsum(random.uniform(0.01, 0.3, 100)):
        assert tracker.update(boxes((20 + 15 * time, 100)), np.ones(1, np.float32), float(time)) == [1]


def test_small_faces_that_move_by_more_than_their_side_between_frames_are_followed() -> None:
    tracker = FaceTracker()
    for index in range(20):  # 12 pixels wide, 14 pixels a frame, at 5 frames/s
        assert tracker.update(boxes((10 + 14 * index, 50), side=12), np.ones(1, np.float32), index / 5) == [1]


def test_a_face_that_is_missed_for_a_while_keeps_its_number_and_one_that_left_gets_another() -> None:
    tracker = FaceTracker(TrackingSettings(forget_after=1.0))
    one, none = np.ones(1, np.float32), np.ones(0, np.float32)
    for index in range(10):
        tracker.update(boxes((100 + index, 100)), one, index / 25)
    for index in range(10, 20):
        assert tracker.update(boxes(), none, index / 25) == []
    assert tracker.update(boxes((120, 100)), one, 20 / 25) == [1]
    assert tracker.update(boxes((120, 100)), one, 20 / 25 + 1.1) == [2]


def test_a_weak_detection_goes_on_with_a_track_but_begins_none() -> None:
    tracker = FaceTracker(TrackingSettings(start_score=0.5))
    weak, strong = np.array([0.2], np.float32), np.array([0.9], np.float32)
    assert tracker.update(boxes((100, 100)), weak, 0.0) == [None]
    assert tracker.update(boxes((100, 100)), strong, 0.1) == [1]
    assert tracker.update(boxes((100, 100)), weak, 0.2) == [1]


def test_every_face_has_a_number_from_its_first_frame() -> None:
    assert ids(ResultTracker().update(frame(0, 0.0, face(100), face(300, score=0.05)))) == [1, 2]


def test_a_time_that_goes_back_begins_a_new_video() -> None:
    tracker = ResultTracker()
    assert ids(tracker.update(frame(0, 5.0, face(100)))) == [1]
    again = tracker.update(frame(0, 4.0, face(100, mask=0.1)))
    assert ids(again) == [2]
    assert again.faces[0].label == "without_mask"


def test_a_camera_that_was_away_for_long_knows_nobody() -> None:
    tracker = ResultTracker()
    assert ids(tracker.update(frame(0, 0.0, face(100)))) == [1]
    assert ids(tracker.update(frame(1, 60.0, face(100)))) == [2]


@pytest.mark.parametrize("time", [None, 0.0, 7.0])
def test_frames_without_times_or_all_with_the_same_are_followed(time: float | None) -> None:
    tracker = ResultTracker()
    for index in range(60):  # moves by 8 pixels a frame, a fifth of its side
        assert ids(tracker.update(frame(index, time, face(20 + 8 * index)))) == [1], index


def test_predicted_faces_move_on_inside_the_picture_and_have_the_label_of_the_track() -> None:
    tracker = ResultTracker()
    for index in range(20):
        tracker.update(frame(index, index / 25, face(400 + 8 * index, mask=0.8)))
    predicted = tracker.predict(frame(20, 20 / 25)).faces[0]
    assert (predicted.track_id, predicted.label, predicted.predicted) == (1, "with_mask", True)
    assert predicted.box[0] == pytest.approx(560, abs=4)
    later = [tracker.predict(frame(index, index / 25)).faces for index in range(21, 100)]
    assert all(0 <= each.box[0] < each.box[2] <= SIZE[0] for faces in later for each in faces)
    assert later[-1] == ()  # the last sight is 3 s old


def test_a_face_that_the_detector_missed_is_not_predicted() -> None:
    tracker = ResultTracker()
    tracker.update(frame(0, 0.0, face(100)))
    tracker.update(frame(1, 0.04))
    assert tracker.predict(frame(2, 0.08)).faces == ()


@pytest.mark.parametrize("rate", [5, 30])
def test_one_wrong_frame_does_not_change_the_label_but_a_second_of_them_does(rate: int) -> None:
    labels = TrackLabels(TrackingSettings(), {"a": 0.95, "b": 0.05}, 0.0)
    for index in range(1, 2 * rate):
        labels.add({"a": 0.95, "b": 0.05}, index / rate)
    labels.add({"a": 0.02, "b": 0.98}, 2.0)
    assert labels.label == "a"
    for index in range(2 * rate + 1, 3 * rate + 1):
        labels.add({"a": 0.02, "b": 0.98}, index / rate)
    assert labels.label == "b"
    assert labels.confidence == labels.probabilities["b"]
    assert sum(labels.probabilities.values()) == pytest.approx(1)


def test_a_label_changes_after_the_same_time_at_5_and_30_frames_a_second() -> None:
    changes = []
    for rate in (5, 30):
        labels = TrackLabels(TrackingSettings(), {"a": 1.0, "b": 0.0}, 0.0)
        for index in itertools.count(1):
            labels.add({"a": 0.0, "b": 1.0}, index / rate)
            if labels.label == "b":
                changes.append(index / rate)
                break
    assert changes[0] == pytest.approx(changes[1], abs=0.2)  # a frame at 5 frames/s


@pytest.mark.parametrize("setting", [{"forget_after": 0}, {"reach": float("inf")}, {"label_margin": 1.5}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        TrackingSettings(**setting)


@pytest.mark.parametrize("rate", [5, 30])
def test_a_real_change_of_the_label_is_seen_within_half_a_second(rate: int) -> None:
    tracker = ResultTracker()
    for index in range(2 * rate):
        assert tracker.update(frame(index, index / rate, face(100, mask=0.98))).faces[0].label == "with_mask"
    for index in range(2 * rate, 3 * rate):
        seen = tracker.update(frame(index, index / rate, face(100, mask=0.02))).faces[0]
        assert seen.confidence == seen.probabilities[seen.label]
        if index / rate - 2.0 >= 0.5:
            assert seen.label == "without_mask", index / rate


@pytest.mark.parametrize("time", [0.0, 7.0])
def test_a_label_changes_where_all_frames_have_the_same_time(time: float) -> None:
    tracker = ResultTracker()
    labels = [
        tracker.update(frame(index, time, face(100, mask=0.98 if index < 10 else 0.02))).faces[0].label
        for index in range(30)
    ]
    assert labels[:10] == ["with_mask"] * 10
    assert labels[-1] == "without_mask"


def test_labels_may_have_any_names() -> None:
    tracker = ResultTracker()
    probabilities = {"none": 0.2, "beard": 0.5, "scarf": 0.3}
    for index in range(5):
        result = tracker.update(frame(index, index / 25, Face((10, 10, 50, 50), "beard", 0.5, probabilities, 0.9)))
        assert result.faces[0].label == "beard"
        assert result.faces[0].confidence == pytest.approx(0.5)


def test_frames_without_faces_and_results_with_errors_are_taken() -> None:
    tracker = ResultTracker()
    assert tracker.update(frame(0, 0.0)).faces == ()
    assert tracker.predict(frame(1, 0.04)).faces == ()
    assert ids(tracker.update(frame(2, 0.08, face(100)))) == [1]
    failed = FrameResult((), SIZE, frame=3, time=0.12, error=ImageError("broken"))
    assert tracker.update(failed).error is failed.error
    assert ids(tracker.update(frame(4, 0.16, face(100)))) == [1]


def test_faces_at_the_edges_are_followed_out_of_the_picture_and_boxes_stay_inside() -> None:
    tracker = ResultTracker()
    for index in range(10):
        assert ids(tracker.update(frame(index, index / 25, face(570 + 5 * index)))) == [1]
    for index in range(10, 20):
        for each in tracker.predict(frame(index, index / 25)):
            assert 0 <= each.box[0] < each.box[2] <= SIZE[0]


def test_without_scipy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(PackageNotInstalled, match=r"maskcheck\[video\]") as raised:
        FaceTracker()
    assert raised.value.package == "scipy"
