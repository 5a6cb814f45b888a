"""What outsiders' detectors, pictures and habits may do: it costs that picture at most, and no results of others."""

from __future__ import annotations

import _thread
import pickle
import signal
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskcheck import (
    Detections,
    FrameResult,
    ImageError,
    MaskCheckError,
    MaskPipeline,
    PictureTimeout,
    PluginError,
    RuntimeUnavailable,
)
from maskcheck.engine.ending import stuck_threads
from maskcheck.runtime.session import OnnxSession

PATIENCE = 30  # seconds after which something that must happen has not


def detections(*boxes: list[float]) -> Detections:
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), scores)


class Calling:
    """Gives what a function makes of the picture."""

    def __init__(self, function: Callable[[NDArray[np.uint8]], Any]) -> None:
        self.function = function

    def detect(self, image: NDArray[np.uint8], /) -> Any:
        return self.function(image)


class Fixed(Calling):
    """Finds the same boxes in every picture."""

    def __init__(self, *boxes: list[float]) -> None:
        super().__init__(lambda _: detections(*boxes))


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture that shows its number."""
    return np.full((60, 100, 3), number, np.uint8)


def described(results: list[FrameResult]) -> list[int | str]:
    """Number of faces of each result, or the kind of its error."""
    return [len(result) if result.error is None else type(result.error).__name__ for result in results]


BOX = [5.0, 10.0, 35.0, 40.0]


# --- Whatever is raised is an error of that picture


class Odd(BaseException):
    pass


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot say it")


@pytest.mark.parametrize(
    "raised",
    [SystemExit(0), Odd("odd"), GeneratorExit(), MemoryError(), RecursionError(), StopIteration(), Unspeakable()],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_detector_raises_is_the_error_of_that_picture(toy_model: Path, raised: BaseException) -> None:
    def find(image: NDArray[np.uint8]) -> Detections:
        if image[0, 0, 0] == 2:
            raise raised
        return detections(BOX)

    pipeline = MaskPipeline(Calling(find), model=toy_model)

    results = list(pipeline.stream([numbered(i) for i in range(5)]))

    assert described(results) == [1, 1, "PluginError", 1, 1]
    assert type(raised).__name__ in str(results[2].error)
    with pytest.raises(PluginError, match=type(raised).__name__):
        pipeline(numbered(2))


def test_what_a_hosts_signal_handler_raises_is_no_fault_of_the_detector(toy_model: Path) -> None:
    def leave(_number: int, _frame: object) -> None:
        sys.exit(3)

    def find(_image: NDArray[np.uint8]) -> Detections:
        signal.raise_signal(signal.SIGTERM)
        return detections()

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with pytest.raises(SystemExit):
            MaskPipeline(Calling(find), model=toy_model)(numbered(0))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_unforeseen_failure_in_cutting_out_faces_is_the_error_of_that_picture(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    from maskcheck.classifier import mask_classifier

    cut = mask_classifier.crop_face  # type: ignore[attr-defined]

    def fail_on_two(image: NDArray[np.uint8], *args: Any, **options: Any) -> Any:
        if image[0, 0, 0] == 2:
            raise cv2.error("no such size")
        return cut(image, *args, **options)

    monkeypatch.setattr(mask_classifier, "crop_face", fail_on_two)

    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream([numbered(i) for i in range(4)]))

    assert described(results) == [1, 1, "ImageError", 1]
    assert "no such size" in str(results[2].error)


def test_a_picture_that_was_read_keeps_its_size_and_timings_when_the_detector_fails(toy_model: Path) -> None:
    def fail(_image: NDArray[np.uint8]) -> Detections:
        raise ValueError("no")

    (result,) = MaskPipeline(Calling(fail), model=toy_model).stream([Image.new("RGB", (100, 60))])

    assert isinstance(result.error, PluginError)
    assert result.size == (100, 60)
    assert result.timings.decode > 0
    assert result.timings.detect > 0


def test_results_with_errors_do_not_keep_pictures_alive(toy_model: Path) -> None:
    kept: list[weakref.ref[Any]] = []

    def fail(image: NDArray[np.uint8]) -> Detections:
        kept.append(weakref.ref(image))
        raise ValueError("no")

    results = list(MaskPipeline(Calling(fail), model=toy_model).stream([numbered(i) for i in range(3)]))

    assert described(results) == ["PluginError"] * 3
    assert [one() for one in kept] == [None] * 3


@pytest.mark.parametrize(
    "item",
    [None, 3, ("a.jpg", 1), [1, 2], object(), b"", Image.new("RGB", (0, 5))],
    ids=["None", "number", "tuple", "list", "object", "no bytes", "no pixels"],
)
def test_an_item_that_is_no_picture_is_an_image_error_in_its_place(toy_model: Path, item: Any) -> None:
    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream([numbered(0), item, numbered(1)]))

    assert described(results) == [1, "ImageError", 1]


# --- One picture where many are expected, and the other way round


@pytest.mark.parametrize(
    "frames",
    [
        "a.jpg",
        Path("a.jpg"),
        b"\xff\xd8",
        bytearray(3),
        memoryview(b"abc"),
        np.zeros((60, 100, 3), np.uint8),
        np.zeros((60, 100), np.uint8),
        np.zeros(500, np.uint8),
        Image.new("RGB", (5, 5)),
        5,
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_picture_is_no_stream(toy_model: Path, frames: Any) -> None:
    with pytest.raises(TypeError, match=r"expected an iterable of pictures.*call the pipeline, .*open_source"):
        MaskPipeline(Fixed(), model=toy_model).stream(frames)


def test_an_open_file_is_no_stream_of_its_lines(toy_model: Path, portrait: Path) -> None:
    with portrait.open("rb") as file, pytest.raises(TypeError, match="iterable of pictures"):
        MaskPipeline(Fixed(), model=toy_model).stream(file)


def test_a_stack_of_pictures_is_a_stream(toy_model: Path) -> None:
    stack: Any = np.stack([numbered(0), numbered(255)])

    assert [face.label for result in MaskPipeline(Fixed(BOX), model=toy_model).stream(stack) for face in result] == [
        "dark",
        "bright",
    ]


def test_boxes_of_the_caller_that_are_shares_are_refused(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"shares of the picture.*multiply"):
        MaskPipeline(Fixed(), model=toy_model).classify(halves, [(0.2, 0.1, 0.6, 0.5)])


def test_on_a_tiny_picture_a_box_of_one_pixel_is_meant(toy_model: Path) -> None:
    (face,) = MaskPipeline(Fixed(), model=toy_model).classify(np.zeros((2, 2, 3), np.uint8), [(0, 0, 1, 1)])

    assert face.pixel_box == (0, 0, 1, 1)


def test_a_detector_that_gives_shares_is_named_with_the_reason(toy_model: Path) -> None:
    pipeline = MaskPipeline(Fixed([0.2, 0.1, 0.6, 0.5], [0.6, 0.1, 0.9, 0.4]), model=toy_model)

    with pytest.raises(PluginError, match=r"Fixed: expected boxes in pixels .*from 0 to 1.*shares of the picture"):
        pipeline(numbered(0))


def test_what_is_left_of_a_face_beyond_the_corner_is_no_share(toy_model: Path) -> None:
    (face,) = MaskPipeline(Fixed([0, 0, 0.4, 0.7]), model=toy_model)(numbered(0))

    assert face.pixel_box == (0, 0, 1, 1)


# --- Detectors as objects


def test_a_detector_object_has_its_own_threshold(toy_model: Path) -> None:
    detector: Any = Fixed(BOX, [60, 10, 90, 40])
    detector.default_min_score = 0.7

    assert len(MaskPipeline(detector, model=toy_model)(numbered(0))) == 1
    assert len(MaskPipeline(detector, model=toy_model, min_score=0)(numbered(0))) == 2


def test_a_threshold_of_a_detector_object_that_is_none_is_refused(toy_model: Path) -> None:
    detector: Any = Fixed(BOX)
    detector.default_min_score = 60

    with pytest.raises(PluginError, match=r"default_min_score to be a number in \[0, 1\], got 60"):
        MaskPipeline(detector, model=toy_model)


def test_a_class_instead_of_an_object_is_refused(toy_model: Path) -> None:
    with pytest.raises(ValueError, match=r"got the class Fixed; make one of it: Fixed\(\)"):
        MaskPipeline(Fixed, model=toy_model)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [OSError("no model file"), SystemExit(1), PluginError("no model file", plugin="x")])
def test_a_detector_that_cannot_load_shows_it_before_the_first_picture(toy_model: Path, error: BaseException) -> None:
    def fail() -> None:
        raise error

    detector: Any = Fixed(BOX)
    detector.warm_up = fail
    pipeline = MaskPipeline(detector, model=toy_model)

    with pytest.raises(PluginError, match=str(error)):
        pipeline.warm_up()
    with pytest.raises(PluginError, match=str(error)):
        next(pipeline.stream([numbered(0)]))


# --- Pictures that are the caller's


def test_a_source_may_fill_one_buffer_again_and_again(toy_model: Path) -> None:
    def camera() -> Iterator[NDArray[np.uint8]]:
        buffer = numbered(0)
        for number in range(40):
            buffer[:] = 255 if number % 3 else 0
            yield buffer

    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream(camera(), workers=2))

    assert [face.label for result in results for face in result] == [
        "bright" if number % 3 else "dark" for number in range(40)
    ]


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))], ids=["bytearray", "view"])
def test_a_source_may_fill_one_buffer_of_bytes_again(toy_model: Path, kind: Callable[[bytes], Any]) -> None:
    files = [cv2.imencode(".bmp", numbered(value))[1].tobytes() for value in (255, 0)]

    def receiver() -> Iterator[Any]:
        buffer = kind(files[0])
        for number in range(12):
            buffer[:] = files[number % 2]
            yield buffer

    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream(receiver(), workers=2))

    assert [face.label for result in results for face in result] == ["bright", "dark"] * 6


@pytest.mark.parametrize(
    "write",
    [
        lambda image: image.__setitem__(slice(None), 0),
        lambda image: cv2.rectangle(image, (1, 1), (9, 9), (0, 0, 255)),
        lambda image: np.add(image, 1, out=image),
    ],
    ids=["slice", "opencv", "ufunc"],
)
def test_a_detector_cannot_change_the_picture(toy_model: Path, write: Callable[[NDArray[np.uint8]], Any]) -> None:
    def find(image: NDArray[np.uint8]) -> Detections:
        write(image)
        return detections(BOX)

    picture = numbered(77)
    pipeline = MaskPipeline(Calling(find), model=toy_model)

    with pytest.raises(PluginError, match=r"must not change the picture: it should work on a copy"):
        pipeline(picture)
    (result,) = pipeline.stream([picture])

    assert isinstance(result.error, PluginError)
    assert (picture == 77).all()
    assert picture.flags.writeable


class Text(str):
    """A path of a library that makes its own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class BytesPath:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return bytes(self.path)


@pytest.mark.parametrize("kind", [Text, BytesPath, np.str_], ids=["str subclass", "bytes path", "numpy.str_"])
def test_the_source_of_a_result_is_plain_text(toy_model: Path, tmp_path: Path, kind: Callable[[Any], Any]) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), numbered(0))
    item = kind(path if kind is BytesPath else str(path))

    (result,) = MaskPipeline(Fixed(BOX), model=toy_model).stream([item])

    assert type(result.source) is str
    assert result.source == str(path)


# --- Faces without end


def grid(count: int) -> Detections:
    """Boxes in a picture of 100 x 60, the best first."""
    x, y = np.arange(count) % 90, np.arange(count) // 90 % 50
    boxes = np.stack([x, y, x + 8, y + 8], axis=1).astype(np.float32)
    return Detections(boxes, np.linspace(1, 0.5, count, dtype=np.float32))


def test_only_the_best_faces_are_classified_and_a_note_says_so(toy_model: Path) -> None:
    pipeline = MaskPipeline(Calling(lambda _: grid(6000)[::-1]), model=toy_model)

    result = pipeline(numbered(0))

    assert len(result) == 1000
    assert result.notes == ("only the best 1,000 of 6,000 faces were classified; raise max_faces",)
    assert [face.box for face in result][:2] == [(0, 0, 8, 8), (1, 0, 9, 8)]
    assert len(MaskPipeline(Calling(lambda _: grid(60)), model=toy_model, max_faces=7)(numbered(0))) == 7


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "9"])
def test_a_number_of_faces_that_is_none_is_refused(toy_model: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_faces: expected a whole number from 1"):
        MaskPipeline(Fixed(), model=toy_model, max_faces=wrong)


def test_the_memory_of_a_stream_does_not_grow_with_the_faces(make_toy_model: Callable[..., Path]) -> None:
    model = make_toy_model(size=64)  # a crop has 12 kB
    pipeline = MaskPipeline(Calling(lambda _: grid(900)), model=model, batch_size=8)
    next(pipeline.stream([numbered(0)]))

    tracemalloc.start()
    found = sum(1 for result in pipeline.stream(numbered(i) for i in range(4)) for _ in result)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == 3600
    assert peak < 8e6  # the crops of one picture alone have 11 MB


def test_faces_cut_late_are_those_cut_at_once(toy_model: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    few = MaskPipeline(Calling(lambda _: grid(500)), model=toy_model, batch_size=500)
    many = MaskPipeline(Calling(lambda _: grid(500)), model=toy_model, batch_size=7)

    at_once, late = few(picture), many(picture)

    assert [face.box for face in late] == [face.box for face in at_once]
    assert [face.confidence for face in late] == pytest.approx([face.confidence for face in at_once])


# --- The classifier fails


def failing_on(wanted: Callable[[NDArray[Any]], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    run = OnnxSession.run

    def sometimes(self: OnnxSession, feeds: dict[str, NDArray[Any]], *args: Any, **options: Any) -> Any:
        if wanted(feeds["faces"]):
            raise RuntimeUnavailable("no memory left")
        return run(self, feeds, *args, **options)

    monkeypatch.setattr(OnnxSession, "run", sometimes)


def test_a_picture_that_the_classifier_fails_on_does_not_take_others_with_it(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_on(lambda crops: bool((crops == 2).all(axis=(1, 2, 3)).any()), monkeypatch)

    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream([numbered(i) for i in range(5)]))

    assert described(results) == [1, 1, "RuntimeUnavailable", 1, 1]
    assert results[2].size == (100, 60)


def test_a_batch_that_is_too_large_for_the_memory_is_classified_picture_by_picture(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_on(lambda crops: len(crops) > 1, monkeypatch)

    results = list(MaskPipeline(Fixed(BOX), model=toy_model).stream([numbered(i) for i in range(5)]))

    assert described(results) == [1] * 5


def test_a_classifier_that_never_runs_raises(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_on(lambda _: True, monkeypatch)
    pipeline = MaskPipeline(Fixed(BOX), model=toy_model)

    with pytest.raises(RuntimeUnavailable, match="no memory left"):
        list(pipeline.stream([numbered(i) for i in range(5)]))
    with pytest.raises(RuntimeUnavailable, match="no memory left"):
        pipeline(numbered(0))


# --- Time


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set when the test is over: what hangs waits for it."""
    event = threading.Event()
    yield event
    event.set()
    for thread in stuck_threads():
        thread.join(PATIENCE)
        assert not thread.is_alive()


def hanging_on(wanted: set[int], release: threading.Event) -> Calling:
    def find(image: NDArray[np.uint8]) -> Detections:
        if int(image[0, 0, 0]) in wanted:
            release.wait(PATIENCE)
        return detections(BOX)

    return Calling(find)


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_that_take_too_long_give_an_error_in_their_place(
    toy_model: Path, release: threading.Event, workers: int
) -> None:
    pipeline = MaskPipeline(hanging_on({1, 2, 5}, release), model=toy_model, timeout=0.3)

    results = list(pipeline.stream([numbered(i) for i in range(7)], workers=workers))

    assert described(results) == [1, "PictureTimeout", "PictureTimeout", 1, 1, "PictureTimeout", 1]
    error = results[1].error
    assert isinstance(error, PictureTimeout)
    assert isinstance(error, TimeoutError)
    assert error.timeout == 0.3
    assert "took longer than 0.3 s to be searched for faces by detector Calling" in str(error)
    assert results[1].size == (100, 60)
    assert len(stuck_threads()) == 3


def test_a_call_that_takes_too_long_raises(toy_model: Path, release: threading.Event) -> None:
    pipeline = MaskPipeline(hanging_on({1}, release), model=toy_model, timeout=0.3)

    with pytest.raises(PictureTimeout, match=r"took longer than 0\.3 s"):
        pipeline(numbered(1))

    assert len(pipeline(numbered(0))) == 1


def test_with_a_time_limit_errors_of_a_call_are_the_same(toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        MaskPipeline(Fixed(BOX), model=toy_model, timeout=PATIENCE)(tmp_path / "absent.jpg")


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_that_is_none_is_refused(toy_model: Path, wrong: float) -> None:
    with pytest.raises(ValueError, match="timeout: expected seconds"):
        MaskPipeline(Fixed(), model=toy_model, timeout=wrong)


def test_a_stream_with_a_stuck_detector_can_be_left(toy_model: Path, release: threading.Event) -> None:
    pipeline = MaskPipeline(hanging_on({4}, release), model=toy_model)
    results = pipeline.stream([numbered(i) for i in range(9)], workers=2, batch_size=2)

    started = time.monotonic()
    next(results)
    results.close()

    assert time.monotonic() - started < PATIENCE / 2


# --- Ctrl-C


def test_ctrl_c_gives_what_is_finished_and_then_ends_though_a_detector_is_stuck(
    toy_model: Path, release: threading.Event
) -> None:
    done: set[int] = set()

    def find(image: NDArray[np.uint8]) -> Detections:
        number = int(image[0, 0, 0])
        if number == 3:
            _thread.interrupt_main()
            release.wait(PATIENCE)
        done.add(number)
        return detections(BOX)

    results: list[FrameResult] = []
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        results.extend(MaskPipeline(Calling(find), model=toy_model).stream((numbered(i) for i in range(99)), workers=1))

    assert described(results) == [1, 1, 1]  # they waited for others to share a run with
    assert done == {0, 1, 2}
    assert time.monotonic() - started < PATIENCE / 2
    assert stuck_threads()


def test_a_stop_gives_what_is_finished_and_ends_though_a_detector_is_stuck(
    toy_model: Path, release: threading.Event
) -> None:
    stop = threading.Event()

    def find(image: NDArray[np.uint8]) -> Detections:
        if image[0, 0, 0] == 3:
            stop.set()
            release.wait(PATIENCE)
        return detections(BOX)

    pictures = (numbered(i) for i in range(99))
    results = list(MaskPipeline(Calling(find), model=toy_model).stream(pictures, workers=1, stop=stop))

    assert described(results) == [1, 1, 1]


def test_ctrl_c_is_not_lost_though_the_classifier_is_stuck(
    toy_model: Path, release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(crops: NDArray[Any]) -> bool:
        if bool((crops == 2).all(axis=(1, 2, 3)).any()):
            _thread.interrupt_main()
            release.wait(PATIENCE)
        return False

    failing_on(hang, monkeypatch)
    pipeline = MaskPipeline(Fixed(BOX), model=toy_model)

    results: list[FrameResult] = []
    with pytest.raises(KeyboardInterrupt):
        results.extend(pipeline.stream((numbered(i) for i in range(99)), batch_size=2, workers=1))

    assert described(results) in ([1], [1, 1])  # those before the batch that is stuck


def test_a_keyboard_interrupt_in_a_detector_ends_the_stream_after_what_is_finished(toy_model: Path) -> None:
    def find(image: NDArray[np.uint8]) -> Detections:
        if image[0, 0, 0] == 3:
            raise KeyboardInterrupt
        return detections(BOX)

    results: list[FrameResult] = []
    with pytest.raises(KeyboardInterrupt):
        results.extend(MaskPipeline(Calling(find), model=toy_model).stream(numbered(i) for i in range(99)))

    assert described(results) == [1, 1, 1]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, Odd, OSError])
def test_what_a_source_gave_before_it_raised_anything_is_not_lost(toy_model: Path, raised: type[BaseException]) -> None:
    def camera() -> Iterator[NDArray[np.uint8]]:
        yield from (numbered(i) for i in range(3))
        raise raised

    results: list[FrameResult] = []
    with pytest.raises(raised):
        results.extend(MaskPipeline(Fixed(BOX), model=toy_model).stream(camera()))

    assert described(results) == [1, 1, 1]


# --- Receipts


def test_a_receipt_can_be_replayed(toy_model: Path) -> None:
    first = MaskPipeline(detector_options={"preset": "fast"}, min_score=0.4, tile=500, model=toy_model, threads=1)
    receipt = first.receipt

    again = MaskPipeline(
        receipt.detector,
        detector_options=receipt.detector_options,
        min_score=receipt.min_score,
        tile=receipt.tile,
        model=toy_model,
        providers=receipt.providers,
        threads=receipt.threads,
    )

    assert again.receipt == receipt


def test_a_receipt_says_the_score_that_is_in_force(toy_model: Path) -> None:
    pipeline = MaskPipeline(Fixed(BOX, [60, 10, 90, 40]), model=toy_model)
    before = pipeline(numbered(0))

    pipeline.min_score = 0.7
    after = pipeline(numbered(0))

    assert before.receipt is not None
    assert after.receipt is not None
    assert (len(before), before.receipt.min_score) == (2, 0)
    assert (len(after), after.receipt.min_score) == (1, 0.7)
    with pytest.raises(ValueError, match="min_score"):
        pipeline.min_score = 7


# --- Threads and processes


def test_a_stream_within_a_stream_of_the_same_pipeline(toy_model: Path) -> None:
    pipeline = MaskPipeline(Fixed(BOX), model=toy_model)

    def twice() -> Iterator[NDArray[np.uint8]]:
        for result in pipeline.stream(numbered(i) for i in range(5)):
            yield numbered(len(result))

    assert described(list(pipeline.stream(twice()))) == [1] * 5


def test_errors_of_results_survive_pickling(toy_model: Path) -> None:
    def fail(_image: NDArray[np.uint8]) -> Detections:
        raise Odd("odd")

    (result,) = MaskPipeline(Calling(fail), model=toy_model).stream([numbered(0)])

    there = pickle.loads(pickle.dumps(result.error))

    assert isinstance(there, MaskCheckError)
    assert str(there) == str(result.error)
