"""``MaskPipeline.track``: faces are followed while frames stream, and the classifier is spared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, Frame, FrameResult, MaskPipeline
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.errors import MaskCheckError

pytest.importorskip("scipy")

BOX = (20.0, 10.0, 60.0, 50.0)


class OneFace:
    """Finds one face, always in the same place; none in pictures that are black in their first pixel."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        self.calls += 1
        count = int(image[0, 0, 0] > 0)
        return Detections(np.array([BOX] * count, np.float32).reshape(-1, 4), np.ones(count, np.float32))


class Counting:
    """A classifier that counts the faces that it gets, and fails in the runs that are named."""

    def __init__(self, model: Path, failing: tuple[int, ...] = ()) -> None:
        self._classifier = MaskClassifier(model)
        self._failing = failing
        self.runs = self.faces = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return self._classifier.labels

    @property
    def batch_size(self) -> int:
        return self._classifier.batch_size

    def crop(self, image: Any, boxes: Any) -> Any:
        return self._classifier.crop(image, boxes)

    def __call__(self, faces: Any) -> Any:
        self.runs += 1
        if self.runs in self._failing:
            raise RuntimeError("the classifier has failed")
        self.faces += len(faces)
        return self._classifier(faces)


def picture(brightness: int = 250, *, face: bool = True) -> NDArray[np.uint8]:
    image = np.full((60, 100, 3), brightness, np.uint8)
    image[0, 0] = 255 if face else 0
    return image


def frames(*images: NDArray[np.uint8], source: str = "a.mp4", rate: float = 25.0) -> list[Frame]:
    return [Frame(image, source=source, index=index, time=index / rate) for index, image in enumerate(images)]


@pytest.fixture
def make(toy_model: Path) -> Callable[..., MaskPipeline]:
    return lambda *failing: MaskPipeline(OneFace(), classifier=Counting(toy_model, failing))


def ids(results: list[FrameResult]) -> list[list[int | None]]:
    return [[face.track_id for face in result] for result in results]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_a_sure_face_is_classified_a_few_times_a_second_and_an_unsure_one_in_every_frame(
    make: Callable[..., MaskPipeline], batch_size: int
) -> None:
    sure, unsure = make(), make()
    results = list(sure.track(frames(*[picture(250)] * 100), batch_size=batch_size))
    assert ids(results) == [[1]] * 100
    assert {face.label for result in results for face in result} == {"bright"}
    assert sure.classifier.faces <= 50  # type: ignore[union-attr]
    list(unsure.track(frames(*[picture(130)] * 100), batch_size=batch_size))
    assert unsure.classifier.faces == 100  # type: ignore[union-attr]


@pytest.mark.parametrize("timed", [True, False])
def test_a_change_is_seen_within_half_a_second_though_the_classifier_is_spared(
    make: Callable[..., MaskPipeline], timed: bool
) -> None:
    video = frames(*[picture(250)] * 50, *[picture(5)] * 50)
    if not timed:
        video = [Frame(each.image, source="a.mp4", index=each.index, time=0.0) for each in video]
    labels = [result.faces[0].label for result in make().track(video, batch_size=1)]
    assert labels[:50] == ["bright"] * 50
    assert labels[63:] == ["dark"] * 37  # 0.5 s after


def test_the_detector_gets_every_third_frame_and_the_others_have_predicted_faces(
    make: Callable[..., MaskPipeline],
) -> None:
    pipeline = make()
    results = list(pipeline.track(frames(*[picture()] * 9), detect_every=3))
    assert pipeline.detector.calls == 3  # type: ignore[attr-defined]
    assert [[face.predicted for face in result] for result in results] == [[False], [True], [True]] * 3
    assert ids(results) == [[1]] * 9
    with pytest.raises(ValueError, match="detect_every"):
        pipeline.track([], detect_every=0)


def test_tracks_begin_anew_with_each_source_and_count_from_1(make: Callable[..., MaskPipeline]) -> None:
    both = frames(*[picture(250)] * 5) + frames(*[picture(5)] * 5, source="b.mp4")
    results = list(make().track(both))
    assert ids(results) == [[1]] * 10
    assert [result.faces[0].label for result in results] == ["bright"] * 5 + ["dark"] * 5


@pytest.mark.parametrize("later", [0.0, 60.0])
def test_a_face_that_is_forgotten_later_in_a_batch_is_in_the_results_before(
    make: Callable[..., MaskPipeline], later: float
) -> None:
    first = frames(*[picture()] * 6)
    rest = [Frame(picture(), source="a.mp4", index=6 + index, time=later + index / 25) for index in range(6)]
    results = list(make().track(first + rest, batch_size=5))
    assert [result.error for result in results] == [None] * 12
    assert ids(results) == [[1]] * 6 + [[2]] * 6


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_frame_with_an_error_does_not_end_tracks(make: Callable[..., MaskPipeline], batch_size: int) -> None:
    video = frames(*[picture()] * 9)
    video[4] = Frame(b"no picture", source="a.mp4", index=4, time=4 / 25)
    results = list(make().track(video, batch_size=batch_size))
    assert isinstance(results[4].error, MaskCheckError)
    assert ids(results) == [[1]] * 4 + [[]] + [[1]] * 4


@pytest.mark.parametrize("batch_size", [1, 3])
def test_frames_of_which_the_classifier_fails_have_an_error_and_the_others_go_on(
    make: Callable[..., MaskPipeline], batch_size: int
) -> None:
    absent = picture(face=False)
    results = list(make(2, 3).track(frames(picture(), absent, *[picture(130)] * 10), batch_size=batch_size))
    assert len(results) == 12
    assert any(result.error is not None for result in results)
    assert results[-1].error is None
    assert ids(results[-1:]) == [[1]]


def test_the_picture_is_kept_and_a_stop_or_a_close_ends_the_stream(make: Callable[..., MaskPipeline]) -> None:
    taken = 0

    def endless() -> Iterator[Frame]:
        nonlocal taken
        while True:
            yield Frame(picture(), source="camera", index=taken, time=taken / 25)
            taken += 1

    stop = threading.Event()
    results = make().track(endless(), batch_size=1, stop=stop, keep_images=True)
    np.testing.assert_array_equal(next(results).image, picture())
    stop.set()
    assert len(list(results)) <= 4
    closed = make().track(endless(), batch_size=1)
    next(closed)
    closed.close()
    before = taken
    assert list(closed) == []
    assert taken == before


def test_a_detector_with_labels_of_its_own_is_tracked_without_a_classifier() -> None:
    class Labelling:
        labels = ("beard", "none")

        def detect(self, _: NDArray[np.uint8]) -> Detections:
            return Detections(
                np.array([BOX], np.float32), np.ones(1, np.float32), probabilities=np.array([[0.8, 0.2]], np.float32)
            )

    results = list(MaskPipeline(Labelling()).track(frames(*[picture()] * 5)))
    assert ids(results) == [[1]] * 5
    faces = [face for result in results for face in result]
    assert {face.label for face in faces} == {"beard"}
    assert [face.confidence for face in faces] == pytest.approx([0.8] * 5)


def test_results_do_not_depend_on_which_frames_share_a_batch(make: Callable[..., MaskPipeline]) -> None:
    # Sure for a while, then doubtful, then sure of the other label, with a wrong frame here and there.
    brightness = np.random.default_rng(0).choice([250, 250, 250, 128, 5], 300)
    brightness[150:] = 255 - brightness[150:]
    video = frames(*[picture(int(value)) for value in brightness])

    together, alone, few = ([result.faces for result in make().track(video, batch_size=size)] for size in (32, 1, 5))

    assert together == alone
    assert together == few
