"""``MaskPipeline.track`` with a second look: the classifier decides what is followed, and is spared all the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, Frame, FrameResult, MaskClassifier, MaskPipeline
from maskcheck.classifier.second_look import Combination, Look
from maskcheck.errors import MaskCheckError

pytest.importorskip("scipy")

FACE, FALSE = (20.0, 10.0, 60.0, 50.0), (100.0, 10.0, 140.0, 50.0)
RED = (20, 20, 250)  # BGR: no face, says the small classifier
SURE = 1 / (1 + math.exp(-3))  # that a grey crop is a face
SHIFT = (0.25, 0.0, 0.0, 0.0)  # a quarter of a side to the right
COMBINATION = Combination(least=0.2, weight=0.0, offset=0.0)


class Marked:
    """Proposes the square boxes that the first pixels of a picture name: half of x1 and of y1, and the side."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        boxes = [(x * 2, y * 2, x * 2 + side, y * 2 + side) for x, y, side in image[0].tolist() if side]
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.5, np.float32))


class Counting(MaskClassifier):
    """Counts the crops that it looks at."""

    looked = 0

    def look(self, crops: Any) -> Look:
        self.looked += len(crops)
        return super().look(crops)


def picture(*proposals: Sequence[float], red: Sequence[float] | None = FALSE, level: int = 250) -> NDArray[np.uint8]:
    """A grey picture with a red place, which proposes some boxes."""
    image = np.full((60, 200, 3), level, np.uint8)
    if red is not None:
        x1, y1, x2, y2 = map(int, red)
        image[y1:y2, x1:x2] = RED
    image[0] = 0
    for place, box in enumerate(proposals):
        image[0, place] = int(box[0]) // 2, int(box[1]) // 2, int(box[2] - box[0])
    return image


def frames(images: Sequence[NDArray[np.uint8]], rate: float = 25.0) -> list[Frame]:
    return [Frame(image, source="a.mp4", index=index, time=index / rate) for index, image in enumerate(images)]


@pytest.fixture
def make(make_toy_model: Callable[..., Path]) -> Callable[..., MaskPipeline]:
    def make(name: str = "Marked", place: Sequence[float] = (0, 0, 0, 0)) -> MaskPipeline:
        model = make_toy_model(second_look={name: COMBINATION}, place=tuple(place))
        return MaskPipeline(Marked(), classifier=Counting(model))

    return make


def looked(pipeline: MaskPipeline) -> int:
    assert isinstance(pipeline.classifier, Counting)
    return pipeline.classifier.looked


def ids(results: Sequence[FrameResult]) -> list[list[int | None]]:
    return [[face.track_id for face in result] for result in results]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_a_sure_face_and_what_is_none_are_looked_at_a_few_times_a_second(
    make: Callable[..., MaskPipeline], batch_size: int
) -> None:
    pipeline = make(place=SHIFT)

    results = list(pipeline.track(frames([picture(FACE, FALSE)] * 100), batch_size=batch_size))

    assert ids(results) == [[1]] * 100  # what is no face is never followed
    for (face,) in results:
        assert face.box == pytest.approx((30, 10, 70, 50), abs=0.01)
        assert face.detection_score == pytest.approx(SURE, abs=1e-4)
        assert face.face == pytest.approx(SURE, abs=1e-4)
        assert face.label == "bright"
    assert looked(pipeline) <= 100  # of 200 proposals


def test_a_face_that_is_not_sure_of_its_label_is_looked_at_in_every_frame(make: Callable[..., MaskPipeline]) -> None:
    pipeline = make()

    results = list(pipeline.track(frames([picture(FACE, level=130)] * 50)))

    assert ids(results) == [[1]] * 50
    assert looked(pipeline) == 50


def test_a_face_that_moves_is_where_its_proposal_is(make: Callable[..., MaskPipeline]) -> None:
    pipeline = make(place=SHIFT)
    starts = range(0, 100, 2)  # a face of 40 pixels that moves by 50 pixels a second

    video = frames([picture((x, 10, x + 40, 50), red=None) for x in starts])
    results = list(pipeline.track(video))

    assert ids(results) == [[1]] * 50
    assert [face.box[0] for (face,) in results] == pytest.approx([x + 10 for x in starts], abs=0.01)
    assert looked(pipeline) <= 30


@pytest.mark.parametrize("batch_size", [1, 32])
def test_a_face_where_there_was_none_is_found_soon(make: Callable[..., MaskPipeline], batch_size: int) -> None:
    video = frames([picture(FALSE)] * 30 + [picture(FALSE, red=None)] * 30, rate=50)

    counts = [len(result) for result in make().track(video, batch_size=batch_size)]

    assert counts == sorted(counts)
    assert counts[29] == 0
    assert counts[40] == 1  # 0.2 s after


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("before", [30, 31, 32, 33, 34])
def test_what_is_a_face_no_longer_ends_soon_and_for_good(
    make: Callable[..., MaskPipeline], batch_size: int, before: int
) -> None:
    video = frames([picture(FALSE, red=None)] * before + [picture(FALSE)] * 30, rate=50)

    counts = [len(result) for result in make().track(video, batch_size=batch_size)]

    assert counts == sorted(counts, reverse=True)  # it does not flicker
    assert counts[before - 1] == 1
    assert counts[before + 10] == 0  # 0.2 s after


def test_between_the_frames_of_the_detector_faces_are_where_they_are_expected(
    make: Callable[..., MaskPipeline],
) -> None:
    results = list(make().track(frames([picture(FACE, FALSE)] * 9), detect_every=3))

    assert ids(results) == [[1]] * 9
    assert [face.predicted for (face,) in results] == [False, True, True] * 3


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_frame_with_an_error_does_not_end_tracks(make: Callable[..., MaskPipeline], batch_size: int) -> None:
    video = frames([picture(FACE, FALSE)] * 9)
    video[4] = Frame(b"no picture", source="a.mp4", index=4, time=4 / 25)

    results = list(make().track(video, batch_size=batch_size))

    assert isinstance(results[4].error, MaskCheckError)
    assert ids(results) == [[1]] * 4 + [[]] + [[1]] * 4


def test_tracks_begin_anew_with_each_source(make: Callable[..., MaskPipeline]) -> None:
    first = frames([picture(FACE)] * 20)
    second = [Frame(each.image, source="b.mp4", index=each.index, time=each.time) for each in first]

    assert ids(list(make().track([*first, *second]))) == [[1]] * 40


def test_faces_that_were_not_looked_at_say_what_they_said_for_other_detectors_too(
    make: Callable[..., MaskPipeline],
) -> None:
    pipeline = make("another detector")

    results = list(pipeline.track(frames([picture(FACE)] * 50)))

    assert looked(pipeline) <= 25
    assert [face.face for (face,) in results] == pytest.approx([SURE] * 50, abs=1e-4)
    assert [face.detection_score for (face,) in results] == [0.5] * 50


def test_results_do_not_depend_on_which_frames_share_a_batch(make: Callable[..., MaskPipeline]) -> None:
    generator = np.random.default_rng(0)
    images = []
    for index in range(200):
        # A face that walks, one that stands and is doubtful now and then, and red places that come and go.
        walking = (index // 2 * 2 % 140, 10, index // 2 * 2 % 140 + 40, 50)
        others = [box for box in ((4, 4, 34, 34), (24, 14, 54, 44), FALSE, FACE) if generator.random() < 0.7]
        red = FALSE if generator.random() < 0.8 else None
        level = int(generator.choice([250, 250, 250, 130]))
        images.append(picture(walking, *others, red=red, level=level))
    video = frames(images)

    together, alone, few = (
        [result.faces for result in make(place=(0.05, 0, 0.1, 0)).track(video, batch_size=size)] for size in (32, 1, 5)
    )

    assert together == alone
    assert together == few
    assert {face.track_id for faces in together for face in faces} >= {1, 2}
