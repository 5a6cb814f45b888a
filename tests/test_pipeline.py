from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskcheck import Detections, DetectorNotFound, FrameResult, ImageError, MaskPipeline, PluginError
from maskcheck.pictures.decoding import ImageLike


class FixedDetector:
    """Finds the same boxes in every picture."""

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self.found = Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        return self.found


class FaultyDetector:
    """Fails on black pictures."""

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        if not image.any():
            raise RuntimeError("too dark")
        return Detections.empty()


LEFT, RIGHT = [5, 10, 35, 40], [60, 10, 90, 40]


def described(result: FrameResult) -> list[tuple[tuple[float, ...], str, float]]:
    return [(face.box, face.label, face.confidence) for face in result]


def test_a_picture_gives_its_faces_with_labels_and_scores(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    pipeline = MaskPipeline(FixedDetector([LEFT, RIGHT], [0.6, 0.9]), model=toy_model)

    result = pipeline(halves)

    assert result.size == (100, 60)
    assert [(face.box, face.label) for face in result] == [((60, 10, 90, 40), "dark"), ((5, 10, 35, 40), "bright")]
    assert [face.detection_score for face in result] == pytest.approx([0.9, 0.6])
    for face in result:
        assert sum(face.probabilities.values()) == pytest.approx(1)
        assert face.confidence == max(face.probabilities.values()) == face.probabilities[face.label]


def test_a_picture_without_faces_is_a_normal_result(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    result = MaskPipeline(FixedDetector([], []), model=toy_model)(halves)

    assert list(result) == []
    assert result.error is None
    assert result.receipt is not None


def test_boxes_are_clipped_and_those_without_area_are_dropped(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    detector = FixedDetector([[0, 0, 20.2, 30], [95, 50, 100.001, 60], [50, 10, 50, 30]], [0.9, 0.8, 0.7])

    result = MaskPipeline(detector, model=toy_model)(halves)

    assert [face.box for face in result] == [(0, 0, np.float32(20.2), 30), (95, 50, 100, 60)]
    assert [face.pixel_box for face in result] == [(0, 0, 21, 30), (95, 50, 100, 60)]


@pytest.mark.parametrize("box", [[-1, 0, 20, 30], [95, 50, 101, 60], [200, 10, 220, 30], [10, 10, 20, 61]])
def test_boxes_outside_the_picture_are_refused_with_the_detectors_name(
    toy_model: Path, halves: NDArray[np.uint8], box: list[float]
) -> None:
    pipeline = MaskPipeline(FixedDetector([[0, 0, 20, 30], box], [0.9, 0.1]), model=toy_model, min_score=0.5)

    with pytest.raises(PluginError, match=r"FixedDetector: expected boxes inside the picture of 100 x 60 .*boxes\[1\]"):
        pipeline(halves)
    (result,) = pipeline.stream([halves])
    assert isinstance(result.error, PluginError)


def test_with_a_tile_the_detector_sees_slices_and_the_boxes_are_those_of_the_picture(
    toy_model: Path, halves: NDArray[np.uint8]
) -> None:
    class Middle:
        """Finds the middle of whatever it is shown."""

        def detect(self, image: NDArray[np.uint8], /) -> Detections:
            height, width = image.shape[:2]
            assert max(height, width) <= 64
            return Detections(
                np.array([[width / 2 - 4, height / 2 - 4, width / 2 + 4, height / 2 + 4]], np.float32),
                np.ones(1, np.float32),
            )

    result = MaskPipeline(Middle(), model=toy_model, tile=64)(halves)

    assert {(28, 26, 36, 34), (64, 26, 72, 34)} <= {face.box for face in result}


def test_faces_below_the_least_score_are_not_reported(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    pipeline = MaskPipeline(FixedDetector([LEFT, RIGHT], [0.6, 0.9]), model=toy_model, min_score=0.7)

    assert [face.box for face in pipeline(halves)] == [tuple(RIGHT)]


def test_path_bytes_array_and_pil_give_the_same_faces(toy_model: Path, portrait: Path) -> None:
    pipeline = MaskPipeline(model=toy_model)
    inputs: list[ImageLike] = [
        portrait,
        str(portrait),
        portrait.read_bytes(),
        np.asarray(cv2.imread(str(portrait))),
        Image.open(portrait),
    ]

    first, *others = [described(pipeline(image)) for image in inputs]

    assert len(first) == 1
    assert all(other == first for other in others)


def test_a_turned_photograph_is_labelled_upright(toy_model: Path, portrait: Path) -> None:
    pipeline = MaskPipeline(model=toy_model)
    lying = Image.open(portrait).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    file = io.BytesIO()
    lying.save(file, "PNG", exif=exif)

    assert described(pipeline(file.getvalue())) == described(pipeline(portrait))


def test_eight_threads_get_what_one_gets(toy_model: Path, portrait: Path, masked_portrait: Path) -> None:
    pipeline = MaskPipeline(model=toy_model)
    pictures = [portrait, masked_portrait] * 8

    with ThreadPoolExecutor(8) as pool:
        together = [described(result) for result in pool.map(pipeline, pictures)]

    assert together == [described(pipeline(picture)) for picture in pictures]
    assert all(len(faces) == 1 for faces in together)


def test_a_pickled_pipeline_gives_the_same(toy_model: Path, portrait: Path) -> None:
    pipeline = MaskPipeline(model=toy_model, detector_options={"min_size": 40})
    expected = described(pipeline(portrait))

    copied: MaskPipeline = pickle.loads(pickle.dumps(pipeline))

    assert described(copied(portrait)) == expected


def test_a_picture_that_cannot_be_read_raises_in_a_call(toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        MaskPipeline(model=toy_model)(tmp_path / "absent.jpg")


def test_a_stream_keeps_order_and_puts_errors_in_their_place(
    toy_model: Path, tmp_path: Path, halves: NDArray[np.uint8]
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    pipeline = MaskPipeline(FixedDetector([LEFT], [0.5]), model=toy_model)

    results = list(pipeline.stream([halves, broken, halves[:, ::-1]]))

    assert [[face.label for face in result] for result in results] == [["bright"], [], ["dark"]]
    assert isinstance(results[1].error, ImageError)
    assert results[1].source == str(broken)
    assert [result.frame for result in results] == [0, 0, 2]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_a_stream_gives_what_calls_give(
    make_toy_model: Callable[..., Path], halves: NDArray[np.uint8], batch_size: int
) -> None:
    pipeline = MaskPipeline(FixedDetector([LEFT, RIGHT], [0.9, 0.8]), model=make_toy_model(margin=0.3))
    frames = [np.roll(halves, 7 * i, axis=1) for i in range(7)]

    streamed = [face for result in pipeline.stream(frames, batch_size=batch_size) for face in result]

    called = [face for frame in frames for face in pipeline(frame)]
    assert len(called) == 14
    assert [(face.box, face.label) for face in streamed] == [(face.box, face.label) for face in called]
    assert [face.confidence for face in streamed] == pytest.approx([face.confidence for face in called])


def test_faces_of_several_pictures_share_a_run_of_bounded_size(
    toy_model: Path, halves: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskcheck.runtime.session import OnnxSession

    sizes: list[int] = []
    run = OnnxSession.run

    def spy(self: OnnxSession, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        sizes.append(len(feeds["faces"]))
        return run(self, feeds)

    monkeypatch.setattr(OnnxSession, "run", spy)
    pipeline = MaskPipeline(FixedDetector([LEFT] * 3, [0.9] * 3), model=toy_model, batch_size=4)

    results = list(pipeline.stream([halves] * 4))

    assert [len(result) for result in results] == [3, 3, 3, 3]
    assert sum(sizes) == 12
    assert max(sizes) == 4


def test_a_stream_takes_no_more_pictures_than_it_holds(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    taken = 0

    def camera() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield halves

    pipeline = MaskPipeline(FixedDetector([], []), model=toy_model)

    next(pipeline.stream(camera(), batch_size=1))
    assert taken == 1


def test_a_stream_looks_for_faces_in_two_pictures_at_a_time(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    together = threading.Barrier(2, timeout=30)

    class Meeting:
        def detect(self, _image: NDArray[np.uint8], /) -> Detections:
            together.wait()
            return Detections.empty()

    results = list(MaskPipeline(Meeting(), model=toy_model).stream([halves] * 4, workers=2))

    assert [result.error for result in results] == [None] * 4


def test_a_stream_that_is_left_ends_its_threads(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    results = MaskPipeline(FixedDetector([LEFT], [0.5]), model=toy_model).stream([halves] * 100, batch_size=2)

    next(results)
    results.close()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("maskcheck")]


def test_what_a_source_gave_before_it_failed_is_not_lost(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    def camera() -> Iterator[NDArray[np.uint8]]:
        yield from [halves] * 3
        raise OSError("unplugged")

    results: list[FrameResult] = []
    with pytest.raises(OSError, match="unplugged"):
        results.extend(MaskPipeline(FixedDetector([LEFT], [0.5]), model=toy_model).stream(camera()))

    assert [len(result) for result in results] == [1, 1, 1]


@pytest.mark.parametrize("number", ["batch_size", "workers"])
def test_a_stream_without_pictures_or_workers_at_a_time_is_refused(toy_model: Path, number: str) -> None:
    wrong: dict[str, Any] = {number: 0}
    with pytest.raises(ValueError, match=f"{number}: expected 1 or more, got 0"):
        MaskPipeline(FixedDetector([], []), model=toy_model).stream([], **wrong)


def test_a_detector_that_fails_on_one_picture_does_not_stop_the_others(
    toy_model: Path, halves: NDArray[np.uint8]
) -> None:
    pipeline = MaskPipeline(FaultyDetector(), model=toy_model)

    bright, dark, last = pipeline.stream([halves, np.zeros_like(halves), halves])

    assert bright.error is None
    assert last.error is None
    assert isinstance(dark.error, PluginError)
    assert "too dark" in str(dark.error)


def test_a_detector_that_returns_something_else_is_named(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    class Wrong:
        def detect(self, _image: NDArray[np.uint8], /) -> Any:
            return [1, 2, 3, 4]

    with pytest.raises(PluginError, match=r"Wrong.*expected.*Detections.*got list"):
        MaskPipeline(Wrong(), model=toy_model)(halves)


def test_boxes_of_the_caller_are_labelled_in_their_order(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    faces = MaskPipeline(model=toy_model, batch_size=1).classify(halves, [RIGHT, LEFT, [-20, -20, 20, 20]])

    assert [face.label for face in faces] == ["dark", "bright", "bright"]
    assert faces[2].box == (0, 0, 20, 20)
    assert all(face.detection_score is None for face in faces)


def test_no_boxes_give_no_faces(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    assert MaskPipeline(model=toy_model).classify(halves, []) == ()


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, 10]], r"expected shape \(N, 4\)"),
        ([LEFT, [200, 10, 220, 30]], r"boxes\[1\].*inside the picture of 100 x 60"),
        ([[30, 10, 10, 40]], r"boxes\[0\].*x1 < x2"),
        ([[float("nan"), 0, 10, 10]], r"boxes\[0\]"),
    ],
)
def test_boxes_that_are_none_are_refused(
    toy_model: Path, halves: NDArray[np.uint8], boxes: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MaskPipeline(model=toy_model).classify(halves, boxes)


def test_an_unknown_detector_is_refused_at_once() -> None:
    with pytest.raises(DetectorNotFound, match="haar"):
        MaskPipeline("nobody")


@pytest.mark.parametrize("arguments", [{"min_score": 1.5}, {"batch_size": 0}, {"device": "gpu"}])
def test_arguments_out_of_range_are_refused(toy_model: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}.*expected"):
        MaskPipeline(model=toy_model, **arguments)


def test_every_result_says_what_it_was_made_with(toy_model: Path, portrait: Path) -> None:
    pipeline = MaskPipeline(
        detector_options={"preset": "fast"}, min_score=0.4, tile=500, model=toy_model, device="cpu", threads=1
    )
    receipt = pipeline(portrait).receipt

    assert receipt is not None
    assert receipt.to_dict() | {"versions": None, "model_sha256": None, "stages": None} == {
        "schema": "maskcheck-receipt/1",
        "detector": "haar",
        "detector_options": {"preset": "fast", "enlarge": None, "scale_factor": None, "min_size": 0, "equalize": False},
        "min_score": 0.4,
        "tile": 500,
        "model": "toy.onnx",
        "model_sha256": None,
        "providers": ["CPUExecutionProvider"],
        "threads": 1,
        "precision": "float32",
        "chosen_by": "file",
        "versions": None,
        "stages": None,
    }
    assert len(receipt.model_sha256 or "") == 64
    assert set(receipt.versions) == {"maskcheck", "onnxruntime", "opencv", "numpy"}


def test_the_stages_add_up_to_the_total(toy_model: Path, portrait: Path) -> None:
    timings = MaskPipeline(model=toy_model)(portrait).timings

    assert min(timings.decode, timings.detect, timings.classify) > 0
    assert timings.total == pytest.approx(timings.decode + timings.detect + timings.classify)
