"""Pictures that are handed in one by one from many threads, and the two halves of the pipeline by themselves."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, FrameResult, ImageError, MaskClassifier, MaskPipeline, PictureTimeout, PluginError
from maskcheck.engine.ending import stuck_threads

PATIENCE = 30  # seconds after which something that must happen has not


class Numbered:
    """Finds a face in every picture, and calls a function with the number that the picture shows."""

    def __init__(self, act: Callable[[int], object] = lambda _: None) -> None:
        self.act = act

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        number = int(image[0, 0, 0])
        self.act(number)
        return Detections(np.array([[5, 10, 35 + number % 20, 40]], np.float32), np.ones(1, np.float32))


class Silent:
    """Finds nothing, and labels it."""

    labels = ("covered", "bare")

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        number = int(image[0, 0, 0])
        if number == 0:
            return Detections.empty()
        probabilities = np.array([[0.75, 0.25], [0.1, 0.9]], np.float32)
        boxes = np.array([[0, 0, 20, 20], [30, 0, 50, 20]], np.float32)
        return Detections(boxes, np.array([0.5, 0.8], np.float32), None, probabilities)


def picture(number: int) -> NDArray[np.uint8]:
    return np.full((60, 100, 3), number, np.uint8)


def faces(result: FrameResult) -> list[tuple[object, str, float]]:
    return [(face.box, face.label, round(face.confidence, 5)) for face in result]


def threads() -> int:
    return sum(thread.name.startswith("maskcheck") for thread in threading.enumerate())


def test_thirty_two_threads_get_what_calls_give(toy_model: Path) -> None:
    pictures = [picture(number) for number in range(96)]
    with MaskPipeline(Numbered(), model=toy_model) as pipeline:
        called = [faces(pipeline(image)) for image in pictures]

        with ThreadPoolExecutor(32) as pool:
            submitted = list(pool.map(lambda image: faces(pipeline.submit(image).result(PATIENCE)), pictures))

    assert submitted == called
    assert threads() == 0


def test_pictures_of_concurrent_callers_share_a_batch(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    run = MaskClassifier.__call__

    def spy(self: MaskClassifier, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(crops))
        return run(self, crops)

    monkeypatch.setattr(MaskClassifier, "__call__", spy)
    gate = threading.Event()
    with MaskPipeline(Numbered(lambda _: gate.wait(PATIENCE)), model=toy_model, max_wait=PATIENCE) as pipeline:
        futures = [pipeline.submit(picture(number)) for number in range(6)]
        gate.set()
        assert all(len(future.result(PATIENCE)) == 1 for future in futures)

    assert sum(sizes) == 6
    assert max(sizes) > 1


def test_a_lone_picture_waits_for_nobody(toy_model: Path) -> None:
    with MaskPipeline(Numbered(), model=toy_model, max_wait=10 * PATIENCE) as pipeline:
        assert len(pipeline.submit(picture(0)).result(PATIENCE)) == 1


def test_a_picture_does_not_wait_for_one_that_is_still_searched(toy_model: Path) -> None:
    gate = threading.Event()
    detector = Numbered(lambda number: gate.wait(PATIENCE) if number == 1 else None)
    with MaskPipeline(detector, model=toy_model, max_wait=10 * PATIENCE) as pipeline:
        searched, found = pipeline.submit(picture(1)), pipeline.submit(picture(0))
        try:
            assert len(found.result(PATIENCE)) == 1
            assert not searched.done()
        finally:
            gate.set()


def test_the_decoded_picture_is_kept_on_request(toy_model: Path) -> None:
    image = picture(3)
    encoded = cv2.imencode(".png", image)[1].tobytes()
    with MaskPipeline(Numbered(), model=toy_model) as pipeline:
        assert pipeline.submit(encoded).result(PATIENCE).image is None
        kept = pipeline.submit(encoded, keep_image=True).result(PATIENCE).image

    assert kept is not None
    np.testing.assert_array_equal(kept, image)


def test_a_failure_is_raised_by_its_own_future_alone(toy_model: Path, tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 3:
            raise RuntimeError("cannot see")

    with MaskPipeline(Numbered(fail), model=toy_model) as pipeline:
        futures = [pipeline.submit(picture(number)) for number in range(5)]
        absent = pipeline.submit(tmp_path / "absent.jpg")

        assert [type(future.exception(PATIENCE)) for future in futures] == [type(None)] * 3 + [PluginError, type(None)]
        with pytest.raises(ImageError, match="no such file"):
            absent.result(PATIENCE)


def test_a_picture_that_takes_too_long_fails_and_the_others_go_on(toy_model: Path) -> None:
    release = threading.Event()
    with MaskPipeline(
        Numbered(lambda number: release.wait(PATIENCE) if number == 1 else None), model=toy_model, timeout=0.2
    ) as pipeline:
        futures = [pipeline.submit(picture(number)) for number in range(6)]

        assert isinstance(futures[1].exception(PATIENCE), PictureTimeout)
        assert all(future.result(PATIENCE) for index, future in enumerate(futures) if index != 1)
    release.set()
    for thread in stuck_threads():
        thread.join(PATIENCE)


def test_a_cancelled_picture_is_dropped_and_a_buffer_may_be_filled_again(toy_model: Path) -> None:
    gate, seen = threading.Event(), []

    def look(number: int) -> None:
        gate.wait(PATIENCE)
        seen.append(number)

    buffer = picture(0)
    with MaskPipeline(Numbered(look), model=toy_model) as pipeline:
        futures = []
        for number in range(8):
            buffer[:] = number
            futures.append(pipeline.submit(buffer))
        assert futures[7].cancel()
        gate.set()
        results = [future.result(PATIENCE) for future in futures[:7]]
        with pytest.raises(CancelledError):
            futures[7].result(PATIENCE)

    assert sorted(seen) == list(range(7))
    assert [faces(result)[0][0] for result in results] == [(5, 10, 35 + number, 40) for number in range(7)]


def test_closing_finishes_what_was_handed_in_and_takes_no_more(toy_model: Path) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model, max_wait=PATIENCE)
    futures = [pipeline.submit(picture(number)) for number in range(20)]

    pipeline.close()

    assert all(future.done() and future.exception() is None for future in futures)
    assert threads() == 0
    with pytest.raises(RuntimeError, match="closed"):
        pipeline.submit(picture(0))
    with pytest.raises(RuntimeError, match="closed"):
        pipeline.stream([picture(0)])
    assert len(pipeline(picture(0))) == 1


def test_a_pipeline_that_is_forgotten_ends_its_threads(toy_model: Path) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model)
    pipeline.submit(picture(0)).result(PATIENCE)
    alive = [thread for thread in threading.enumerate() if thread.name.startswith("maskcheck")]
    assert alive

    del pipeline

    for thread in alive:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_event_loop_awaits_results(toy_model: Path) -> None:
    async def serve(pipeline: MaskPipeline) -> list[FrameResult]:
        return await asyncio.gather(*(asyncio.wrap_future(pipeline.submit(picture(number))) for number in range(9)))

    with MaskPipeline(Numbered(), model=toy_model) as pipeline:
        results = asyncio.run(serve(pipeline))

    assert [len(result) for result in results] == [1] * 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(toy_model: Path) -> None:
    with MaskPipeline(Numbered(), model=toy_model) as pipeline:
        expected = faces(pipeline.submit(picture(1)).result(PATIENCE))
        child = os.fork()
        if child == 0:
            os._exit(0 if faces(pipeline.submit(picture(1)).result(PATIENCE)) == expected else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert faces(pipeline.submit(picture(1)).result(PATIENCE)) == expected


# --- The two halves


def test_frames_prepared_anywhere_are_finished_together(toy_model: Path, tmp_path: Path) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model)
    prepared = [pipeline.prepare(picture(0)), pipeline.prepare(tmp_path / "absent.jpg"), pipeline.prepare(picture(2))]

    travelled = pickle.loads(pickle.dumps(prepared))
    first, absent, last = pipeline.finish(travelled)

    assert faces(first) == faces(pipeline(picture(0)))
    assert isinstance(absent.error, ImageError)
    assert faces(last) == faces(pipeline(picture(2)))


def test_a_batch_is_a_list_of_results_with_errors_in_their_place(toy_model: Path, tmp_path: Path) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model)

    results = pipeline.batch([picture(0), tmp_path / "absent.jpg", picture(2)])

    assert [type(result.error) for result in results] == [type(None), ImageError, type(None)]
    assert pipeline.batch([]) == []
    with pytest.raises(TypeError, match="expected an iterable"):
        pipeline.batch(picture(0))


# --- Detectors that label faces themselves


def test_a_detector_that_labels_needs_no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the classifier ran")

    monkeypatch.setattr(MaskClassifier, "__call__", never)
    monkeypatch.setattr(MaskClassifier, "crop", never)
    pipeline = MaskPipeline(Silent(), classifier=None)

    results = [pipeline(picture(1)), *pipeline.stream([picture(0), picture(1)]), pipeline.submit(picture(1)).result()]
    pipeline.close()

    assert pipeline.labels == ("covered", "bare")
    assert [[(face.label, face.box) for face in result] for result in results] == [
        [("bare", (30, 0, 50, 20)), ("covered", (0, 0, 20, 20))],
        [],
        [("bare", (30, 0, 50, 20)), ("covered", (0, 0, 20, 20))],
        [("bare", (30, 0, 50, 20)), ("covered", (0, 0, 20, 20))],
    ]
    assert results[0].faces[0].probabilities == pytest.approx({"covered": 0.1, "bare": 0.9})
    receipt = results[0].receipt
    assert receipt is not None
    assert [(stage.kind, stage.name) for stage in receipt.stages] == [("detector", "Silent")]
    with pytest.raises(ValueError, match="no classifier"):
        pipeline.classify(picture(1), [[0, 0, 20, 20]])


def test_by_default_the_labels_are_the_detectors_own_and_a_classifier_of_the_caller_goes_before_them(
    toy_model: Path,
) -> None:
    assert MaskPipeline(Silent()).labels == ("covered", "bare")

    result = MaskPipeline(Silent(), classifier="mask", model=toy_model)(picture(1))

    assert {face.label for face in result} == {"dark"}


def test_a_classifier_object_of_the_caller_labels_the_faces() -> None:
    class Width:
        """Labels a face by the width of its box."""

        labels = ("narrow", "wide")
        batch_size = 3

        def crop(self, _image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> NDArray[np.uint8]:
            return (boxes[:, 2] - boxes[:, 0]).astype(np.uint8)[:, None]

        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            assert len(crops) <= 3
            wide = (crops[:, 0] > 34).astype(np.float32)
            return np.stack([1 - wide, wide], axis=1)

    pipeline = MaskPipeline(Numbered(), classifier=Width())

    results = pipeline.batch(picture(number) for number in range(10))

    assert [result.faces[0].label for result in results] == ["narrow"] * 5 + ["wide"] * 5
    receipt = pipeline.receipt
    assert [(stage.kind, stage.name) for stage in receipt.stages] == [("detector", "Numbered"), ("classifier", "Width")]


def test_a_classifier_that_does_not_fit_is_refused(toy_model: Path) -> None:
    with pytest.raises(ValueError, match="None is for a detector that labels"):
        MaskPipeline(Numbered(), classifier=None)
    with pytest.raises(ValueError, match="only the classifier `mask` takes a model file"):
        MaskPipeline(Silent(), classifier=None, model=toy_model)
    with pytest.raises(ValueError, match=r"expected a name, None, or an object with labels.* without labels"):
        MaskPipeline(Numbered(), classifier=object())  # type: ignore[arg-type]


def test_a_classifier_that_gives_another_number_of_rows_is_named(toy_model: Path) -> None:
    class Short(MaskClassifier):
        def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            return super().__call__(crops)[:-1]

    pipeline = MaskPipeline(Numbered(), classifier=Short(toy_model))

    with pytest.raises(PluginError, match=r"classifier Short: expected probabilities of shape \(1, 2\)"):
        pipeline(picture(0))


def test_a_pipeline_tells_of_each_batch(make_toy_model: Callable[..., Path]) -> None:
    batches: list[tuple[int, int]] = []
    with MaskPipeline(Numbered(abs), model=make_toy_model()) as pipeline:

        def tell(pictures: int, faces: int) -> None:
            batches.append((pictures, faces))
            raise RuntimeError("the pipeline goes on")

        pipeline.on_batch = tell
        for future in [pipeline.submit(picture(number)) for number in range(1, 6)]:
            future.result(PATIENCE)
        with pytest.raises(ImageError):
            pipeline.submit(b"no picture").result(PATIENCE)
        assert pickle.loads(pickle.dumps(pipeline)).on_batch is None

    assert sum(pictures for pictures, _ in batches) == 5
    assert sum(faces for _, faces in batches) == 5


def test_one_picture_after_the_other_may_hang(make_toy_model: Callable[..., Path]) -> None:
    may_end = threading.Event()
    detector = Numbered(lambda number: number == 9 and may_end.wait(PATIENCE))
    with MaskPipeline(detector, model=make_toy_model(), timeout=0.1) as pipeline:
        for _ in range(3):  # each when nothing else is under way: more than there are threads
            with pytest.raises(PictureTimeout):
                pipeline.submit(picture(9)).result(PATIENCE)
        may_end.set()
