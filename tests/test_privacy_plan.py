"""Which faces are blurred, and where a face is blurred that the detector did not find."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from maskcheck import SourceError
from maskcheck.privacy import Blur, BlurPlan, DelayedBlur, boxes_to_blur
from maskcheck.results import Face, FrameResult

Box = tuple[float, float, float, float]


def face(
    box: Box, label: str = "without_mask", confidence: float = 0.95, track: int | None = 1, *, predicted: bool = False
) -> Face:
    return Face(box, label, confidence, {label: confidence}, 0.9, track_id=track, predicted=predicted)


def result(frame: int, *faces: Face, time: float | None = None, pixels: int = 0) -> FrameResult:
    """A frame of a video with 10 frames a second."""
    image = np.full((pixels, pixels, 3), 128, np.uint8) if pixels else None
    return FrameResult(faces, (640, 360), frame=frame, time=frame / 10 if time is None else time, image=image)


def plan_of(*results: FrameResult, blur: Blur = "all", hold: float = 0.5, around_change: float = 0.5) -> BlurPlan:
    plan = BlurPlan(blur, hold=hold, around_change=around_change)
    for each in results:
        plan.add(each)
    return plan


def only(boxes: Sequence[Box]) -> Box:
    (box,) = boxes
    return box


def covers(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


A: Box = (100.0, 100.0, 140.0, 150.0)
B: Box = (200.0, 100.0, 240.0, 150.0)


@pytest.mark.parametrize(
    ("label", "confidence", "blurred"),
    [
        ("with_mask", 0.95, {"all", "with_mask"}),
        ("without_mask", 0.95, {"all", "without_mask"}),
        ("mask_worn_incorrectly", 0.95, {"all", "with_mask", "without_mask"}),
        ("with_mask", 0.7, {"all", "with_mask", "without_mask"}),
        ("without_mask", 0.7, {"all", "with_mask", "without_mask"}),
        ("helmet", 0.95, {"all", "with_mask", "without_mask"}),
    ],
)
def test_only_a_face_that_surely_has_the_other_label_stays_clear(
    label: str, confidence: float, blurred: set[Blur]
) -> None:
    found = result(0, face(A, label, confidence))
    choices: tuple[Blur, ...] = ("all", "with_mask", "without_mask")

    assert {blur for blur in choices if boxes_to_blur(found, blur)} == blurred


def test_how_sure_a_face_must_be_can_be_said() -> None:
    found = result(0, face(A, "with_mask", 0.7), face(B, "with_mask", 0.6))

    assert boxes_to_blur(found, "without_mask", sure=0.65) == [B]


@pytest.mark.parametrize("make", [BlurPlan, DelayedBlur, lambda blur: boxes_to_blur(result(0, face(A)), blur)])
def test_another_choice_is_refused(make: type[BlurPlan]) -> None:
    with pytest.raises(ValueError, match="blur: expected all or without_mask or with_mask, got 'none'"):
        make("none")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan")])
def test_times_out_of_range_are_refused(value: float) -> None:
    for name in ("hold", "around_change"):
        with pytest.raises(ValueError, match=f"{name}: expected seconds from 0"):
            BlurPlan("all", **{name: value})
    with pytest.raises(ValueError, match="delay: expected seconds from 0"):
        DelayedBlur("all", delay=value)


def test_a_face_is_blurred_where_it_was_found() -> None:
    plan = plan_of(result(0, face(A), face(B, track=2)), result(1, face(B), face(A, track=2)))

    assert sorted(plan.boxes(0)) == [A, B]
    assert sorted(plan.boxes(1)) == [A, B]


def test_between_two_frames_a_face_is_blurred_on_its_way() -> None:
    plan = plan_of(result(0, face(A)), result(1), result(2), result(3), result(4, face(B)))

    box, *_ = plan.boxes(1)

    assert covers(box, (125.0, 100.0, 165.0, 150.0))
    assert box[2] - box[0] < 80  # larger than the face, but not by much


def test_what_was_found_counts_for_more_than_what_a_tracker_predicted() -> None:
    wrong = face((400.0, 300.0, 440.0, 350.0), predicted=True)
    plan = plan_of(result(0, face(A)), result(1, wrong), result(2, face(B)))

    assert covers(only(plan.boxes(1)), (150.0, 100.0, 190.0, 150.0))


def test_in_a_long_gap_both_sides_count_as_a_tracker_may_have_taken_one_face_for_the_other() -> None:
    stays = [result(frame, face(A)) for frame in range(5)]
    plan = plan_of(*stays, *map(result, range(5, 9)), result(9, face(B)), result(10, face(B)))

    for frame in range(5, 9):
        boxes = plan.boxes(frame)
        assert any(covers(box, A) for box in boxes)
        assert any(covers(box, B) for box in boxes)


def test_a_prediction_counts_where_nothing_else_does() -> None:
    predicted = [result(frame, face(B, predicted=True)) for frame in range(1, 12)]
    plan = plan_of(result(0, face(A)), *predicted, *map(result, range(12, 20)), hold=0.5)

    assert all(covers(only(plan.boxes(frame)), A) for frame in range(1, 6))
    assert [only(plan.boxes(frame)) for frame in range(6, 12)] == [B] * 6
    assert plan.boxes(12) == []


def test_a_face_is_blurred_for_a_while_before_and_after_and_moves_on() -> None:
    steps = [result(10 + step, face((100.0 + 20 * step, 100.0, 140.0 + 20 * step, 150.0))) for step in range(4)]
    plan = plan_of(*map(result, range(10)), *steps, *map(result, range(14, 30)))

    assert [frame for frame in range(30) if plan.boxes(frame)] == list(range(5, 19))
    assert covers(only(plan.boxes(7)), (40.0, 100.0, 80.0, 150.0))
    assert covers(only(plan.boxes(16)), (220.0, 100.0, 260.0, 150.0))


def test_a_box_grows_while_nothing_is_found() -> None:
    plan = plan_of(result(0, face(A)), *map(result, range(1, 9)))

    widths = [box[2] - box[0] for frame in range(1, 6) for box in plan.boxes(frame)]

    assert len(widths) == 5
    assert np.all(np.diff(widths) > 0)


def test_a_face_without_a_track_is_blurred_for_a_while_where_it_is() -> None:
    plan = plan_of(*map(result, range(10)), result(10, face(A, track=None)), *map(result, range(11, 30)))

    assert [frame for frame in range(30) if plan.boxes(frame)] == list(range(5, 16))
    assert covers(only(plan.boxes(6)), A)


def test_boxes_of_the_caller_are_blurred_whatever_the_labels_are() -> None:
    plan = BlurPlan("without_mask", hold=0.0)
    plan.add(result(0, face(A, "with_mask")), others=[B])

    assert plan.boxes(0) == [B]


def test_around_a_change_of_the_label_a_face_is_blurred() -> None:
    bare = range(20, 31)
    labelled = [result(f, face(A, "without_mask" if f in bare else "with_mask")) for f in range(60)]
    plan = plan_of(*labelled, blur="without_mask")

    assert [frame for frame in range(60) if plan.boxes(frame)] == list(range(15, 36))


def test_between_two_frames_with_different_labels_a_face_is_blurred() -> None:
    plan = plan_of(
        result(0, face(A, "with_mask")),
        *map(result, range(1, 40)),
        result(40, face(A)),
        blur="without_mask",
        around_change=0.0,
    )

    assert [frame for frame in range(41) if plan.boxes(frame)] == list(range(1, 41))


def test_frames_that_were_left_out_are_blurred_too() -> None:
    plan = plan_of(result(0, face(A)), result(10, face(B)), hold=0.5)

    assert covers(plan.boxes(5)[0], (150.0, 100.0, 190.0, 150.0))
    assert plan.boxes(15)
    assert not plan.boxes(16)


@pytest.mark.parametrize("times", [[0.0] * 40, [None] * 40, [5.0 - frame for frame in range(40)]])
def test_a_video_whose_times_are_useless_has_25_frames_a_second(times: list[float | None]) -> None:
    plan = BlurPlan("all", hold=0.4)
    for frame, time in enumerate(times):
        found = (face(A),) if frame == 20 else ()
        plan.add(FrameResult(found, (640, 360), frame=frame, time=time))

    blurred = [frame for frame in range(40) if plan.boxes(frame)]

    assert blurred[0] in (10, 11)
    assert blurred[-1] in (29, 30)


def test_frames_must_come_in_order() -> None:
    plan = plan_of(result(0), result(5))

    with pytest.raises(ValueError, match="expected a frame after 5, got 5; make a plan for each video"):
        plan.add(result(5))


def test_an_empty_plan_and_frames_that_failed_blur_nothing() -> None:
    assert BlurPlan("all").boxes(3) == []

    plan = plan_of(result(0, face(A)), FrameResult((), (0, 0), frame=1, error=SourceError("broken", source="x")))
    assert covers(only(plan.boxes(1)), A)


def test_a_plan_is_small() -> None:
    tracemalloc.start()
    plan = BlurPlan("all")
    for frame in range(2000):
        plan.add(result(frame, *(face(A, track=track) for track in range(10))))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 20_000 * 35


def test_a_stream_waits_and_gives_its_frames_in_order() -> None:
    blurring = DelayedBlur("all", delay=0.5)
    results = [result(frame, face((4, 4, 9, 9)), pixels=16) for frame in range(20)]

    given = [[done.frame for done in blurring.add(each)] for each in results]

    assert given == [[]] * 5 + [[frame] for frame in range(15)]
    assert [done.frame for done in blurring.finish()] == list(range(15, 20))
    assert blurring.finish() == []


def test_a_stream_keeps_the_results_and_the_callers_pixels() -> None:
    blurring = DelayedBlur("all", delay=0.0)
    first = result(0, face((4, 4, 9, 9)), pixels=32)
    assert first.image is not None
    first.image[::2] = 0
    kept = first.image.copy()

    (done,) = blurring.add(first)

    assert done == first
    assert done.image is not None
    assert not np.array_equal(done.image, kept)
    np.testing.assert_array_equal(first.image, kept)


def test_results_without_pixels_pass() -> None:
    blurring = DelayedBlur("all", delay=0.0)

    assert [done.image for done in blurring.add(result(0, face(A)))] == [None]


def test_frames_that_wait_have_a_bounded_size() -> None:
    blurring = DelayedBlur("all", delay=0.5, max_bytes=3 * 16 * 16 * 3)
    given = [len(blurring.add(result(frame, face((4, 4, 9, 9)), pixels=16))) for frame in range(20)]

    assert given == [0, 0, 0] + [1] * 17
    assert blurring.hurried == 17
    assert len(blurring.finish()) == 3


def test_a_frame_that_cannot_wait_is_blurred_for_longer() -> None:
    def blurred_frames(max_bytes: int) -> int:
        blurring = DelayedBlur("all", delay=0.5, hold=0.5, max_bytes=max_bytes)
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        done = []
        for frame in range(30):
            faces = (face((20, 20, 30, 30)),) if frame == 0 else ()
            done += blurring.add(FrameResult(faces, (64, 64), frame=frame, time=frame / 10, image=image))
        done += blurring.finish()
        assert len(done) == 30
        return sum(not np.array_equal(each.image, image) for each in done if each.image is not None)

    assert blurred_frames(10**9) == 6
    assert blurred_frames(0) == 11


def test_the_memory_of_a_stream_stays_flat() -> None:
    blurring = DelayedBlur("without_mask", delay=0.5)
    held = []
    tracemalloc.start()
    for frame in range(3000):
        stays, passes, lone = face(A), face(B, track=2 + frame // 20), face(A, track=None)
        blurring.add(FrameResult((stays, passes, lone), (640, 360), frame=frame, time=frame / 25))
        if frame in (500, 2999):
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert held[1] < held[0] * 1.1
