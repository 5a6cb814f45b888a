"""Threads of a stream: what is taken when, what shares a batch, and how it ends."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, Frame, FrameResult, ImageError, MaskClassifier, MaskPipeline, SourceError

PATIENCE = 30  # seconds after which something that must happen has not


class Numbered:
    """Finds a face in every picture, and calls a function with the number that the picture shows."""

    def __init__(self, act: Callable[[int], object] = lambda _: None) -> None:
        self.act = act

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        self.act(int(image[0, 0, 0]))
        return Detections(np.array([[5, 10, 35, 40]], np.float32), np.ones(1, np.float32))


def picture(number: int) -> NDArray[np.uint8]:
    return np.full((60, 100, 3), number, np.uint8)


def taken(numbers: list[int], upto: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures, noting which were asked for."""
    for number in range(upto):
        numbers.append(number)
        yield picture(number)


def threads() -> int:
    return sum(thread.name.startswith("maskcheck") for thread in threading.enumerate())


def positions(results: Sequence[FrameResult]) -> list[int]:
    return [result.frame for result in results]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the classifier's runs, as they happen."""
    sizes: list[int] = []
    run = MaskClassifier.__call__

    def spy(self: MaskClassifier, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(crops))
        return run(self, crops)

    monkeypatch.setattr(MaskClassifier, "__call__", spy)
    return sizes


# --- What is taken when


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_results_come_in_the_order_of_the_pictures(toy_model: Path, workers: int, batch_size: int) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model)

    results = list(pipeline.stream(map(picture, range(20)), workers=workers, batch_size=batch_size))

    assert positions(results) == list(range(20))


def test_never_more_pictures_are_taken_than_promised(toy_model: Path) -> None:
    numbers: list[int] = []
    results = MaskPipeline(Numbered(), model=toy_model).stream(taken(numbers, 200), batch_size=3, workers=2)

    for given in range(1, 11):
        next(results)
        assert len(numbers) <= given + 2 * 3 + 2 * 2
    results.close()


def test_with_batches_of_one_each_result_is_used_before_the_next_picture_is_taken(toy_model: Path) -> None:
    numbers: list[int] = []

    for result in MaskPipeline(Numbered(), model=toy_model).stream(taken(numbers, 5), batch_size=1):
        assert numbers[-1] == result.frame


def test_results_of_a_source_that_pauses_come_before_the_batch_is_full(toy_model: Path) -> None:
    numbers: list[int] = []
    prepared = threading.Semaphore(0)

    def camera() -> Iterator[NDArray[np.uint8]]:
        yield picture(0)
        for number in range(1, 6):
            prepared.acquire(timeout=PATIENCE)  # as a camera waits for light: the picture before is done meanwhile
            numbers.append(number)
            yield picture(number)

    pipeline = MaskPipeline(Numbered(), model=toy_model, max_wait=PATIENCE)
    run = MaskClassifier.__call__

    def spy(self: MaskClassifier, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities = run(self, crops)
        prepared.release()
        return probabilities

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MaskClassifier, "__call__", spy)
        results = pipeline.stream(camera(), batch_size=32)
        first = next(results)
        seen = list(numbers)
        rest = list(results)

    assert first.frame == 0
    assert len(seen) <= 2
    assert positions(rest) == [1, 2, 3, 4, 5]


def test_a_picture_waits_for_others_no_longer_than_max_wait(toy_model: Path) -> None:
    release = threading.Event()
    pipeline = MaskPipeline(
        Numbered(lambda number: release.wait(PATIENCE) if number == 1 else None), model=toy_model, max_wait=0.05
    )

    results = pipeline.stream(map(picture, range(2)), batch_size=32, workers=2)
    first = next(results)  # although the other one is still on its way
    release.set()

    assert [first.frame, *positions(list(results))] == [0, 1]


def test_pictures_that_are_ready_share_a_batch(toy_model: Path, batches: list[int]) -> None:
    ready = threading.Barrier(4, timeout=PATIENCE)
    pipeline = MaskPipeline(Numbered(lambda _: ready.wait()), model=toy_model, max_wait=PATIENCE)

    list(pipeline.stream(map(picture, range(8)), batch_size=4, workers=4))

    assert sum(batches) == 8
    assert len(batches) <= 4


# --- How it ends


def test_closing_it_ends_its_threads_and_takes_nothing_more(toy_model: Path) -> None:
    numbers: list[int] = []
    results = MaskPipeline(Numbered(), model=toy_model).stream(taken(numbers, 200), batch_size=3)

    next(results)
    results.close()
    count = len(numbers)

    assert count < 200
    assert threads() == 0


def test_whatever_a_source_raises_comes_after_what_it_gave(toy_model: Path) -> None:
    def camera() -> Iterator[NDArray[np.uint8]]:
        yield from map(picture, range(3))
        raise SystemExit(4)

    results: list[FrameResult] = []
    with pytest.raises(SystemExit):
        results.extend(MaskPipeline(Numbered(), model=toy_model).stream(camera()))
    assert positions(results) == [0, 1, 2]
    assert threads() == 0


def test_ctrl_c_at_any_line_ends_it_and_leaves_nothing_locked(toy_model: Path) -> None:
    program = f"""
import sys, threading
import numpy as np
from maskcheck import Detections, MaskPipeline
from maskcheck.engine import ending, streaming

streaming.GRACE = ending.GRACE = 0.02
streaming._POLL = 0.005

def interrupted_at(wanted):
    lines, release, begun = 0, threading.Event(), threading.Event()

    class Hanging:
        def detect(self, image):
            if image[0, 0, 0] == 2:
                begun.set()
                release.wait({PATIENCE})
            return Detections.empty()

    def trace(frame, event, _):
        nonlocal lines
        code = frame.f_code
        ours = code.co_filename.endswith(("threading.py", "streaming.py", "runner.py"))
        if not ours or code.co_name in ("close", "_wait"):
            return None
        if event != "call" and begun.is_set():
            lines += 1
            if lines == wanted:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(4)]
    results = MaskPipeline(Hanging(), model={str(toy_model)!r}, max_wait=0).stream(pictures, workers=2)
    sys.settrace(trace)
    try:
        list(results)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        release.set()
    return False

print([wanted for wanted in range(1, 30) if not interrupted_at(wanted)])
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("work", ["release.wait", "time.sleep"], ids=["stuck until the end", "busy"])
def test_a_program_that_leaves_a_stream_open_ends_with_its_own_status(toy_model: Path, work: str) -> None:
    program = f"""
import sys, threading, time
import numpy as np
from maskcheck import Detections, MaskPipeline
from maskcheck.engine import ending

ending._LAST_GRACE = 0.3
release = threading.Event()

class Slow:
    def detect(self, image):
        if image[0, 0, 0] > 1:
            {work}({PATIENCE})
        return Detections.empty()

pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(9)]
results = MaskPipeline(Slow(), model={str(toy_model)!r}, max_wait=0).stream(pictures)
next(results)
sys.exit(3)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.returncode, done.stderr) == (3, "")


# --- Frames


def test_frames_keep_their_source_index_and_time(toy_model: Path) -> None:
    frames = [Frame(picture(i), source="cam", index=10 + i, time=i / 10) for i in range(3)]

    results = list(MaskPipeline(Numbered(), model=toy_model).stream(frames))

    assert [(result.source, result.frame, result.time) for result in results] == [
        ("cam", 10, 0.0),
        ("cam", 11, 0.1),
        ("cam", 12, 0.2),
    ]


def test_a_frame_travels_to_another_process(toy_model: Path) -> None:
    frame = pickle.loads(pickle.dumps(Frame(picture(3), source="cam", index=3, time=0.3)))
    failed = pickle.loads(pickle.dumps(Frame(None, source="cam", error=SourceError("unplugged", source="cam"))))

    pipeline = MaskPipeline(Numbered(), model=toy_model)

    assert (pipeline(frame).source, pipeline(frame).frame, pipeline(frame).time) == ("cam", 3, 0.3)
    with pytest.raises(SourceError, match="unplugged"):
        pipeline(failed)


def test_the_error_of_a_frame_is_that_of_its_result(toy_model: Path) -> None:
    error = SourceError("the camera is unplugged", source="cam")
    pipeline = MaskPipeline(Numbered(), model=toy_model)

    before, failed, after = pipeline.stream([picture(0), Frame(None, source="cam", index=7, error=error), picture(2)])

    assert (failed.error, failed.source, failed.frame) == (error, "cam", 7)
    assert (before.error, after.error) == (None, None)
    with pytest.raises(SourceError, match="unplugged"):
        pipeline(Frame(None, error=error))


def test_a_source_may_go_on_after_an_error_that_it_gives_as_a_frame(toy_model: Path) -> None:
    def camera() -> Iterator[Frame | NDArray[np.uint8]]:
        for number in range(4):
            try:
                if number == 1:
                    raise SourceError("no picture", source="cam")
                yield picture(number)
            except SourceError as error:
                yield Frame(None, source="cam", index=number, error=error)

    results = list(MaskPipeline(Numbered(), model=toy_model).stream(camera()))

    assert [result.error is None for result in results] == [True, False, True, True]


def test_results_hold_the_decoded_pictures_if_that_is_asked_for(toy_model: Path, portrait: Path) -> None:
    pipeline = MaskPipeline(Numbered(), model=toy_model)

    (kept,) = pipeline.stream([portrait], keep_images=True)
    (plain,) = pipeline.stream([portrait])

    assert kept.image is not None
    assert kept.image.shape == (kept.size[1], kept.size[0], 3)
    assert plain.image is None
    assert kept.to_dict()["faces"] == plain.to_dict()["faces"]


def test_pictures_that_are_kept_are_taken_ahead_only_as_memory_allows(
    toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskcheck.engine.streaming._MOST_HELD", 3 * picture(0).nbytes)
    numbers: list[int] = []
    pipeline = MaskPipeline(Numbered(), model=toy_model)

    for given, _ in enumerate(pipeline.stream(taken(numbers, 60), workers=2, keep_images=True), 1):
        assert len(numbers) <= given + 3 + 2 * 2

    assert len(numbers) == 60


# --- Detectors that take several pictures at once


class Batching(Numbered):
    """Counts the pictures of each call."""

    batch_size = 4

    def __init__(self, fail: Callable[[int], bool] = lambda _: False) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.fail = fail

    def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        self.calls.append(len(images))
        return [self.detect(image) for image in images]

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        if self.fail(int(image[0, 0, 0])):
            raise RuntimeError("cannot see")
        return super().detect(image)


def test_pictures_of_one_size_are_given_to_the_detector_together(toy_model: Path) -> None:
    detector = Batching()
    pipeline = MaskPipeline(detector, model=toy_model)

    results = list(pipeline.stream(map(picture, range(40)), workers=1))

    assert positions(results) == list(range(40))
    assert all(len(result) == 1 for result in results)
    assert max(detector.calls) == 4


def test_one_picture_on_which_a_detector_fails_costs_no_other(toy_model: Path) -> None:
    pipeline = MaskPipeline(Batching(lambda number: number == 5), model=toy_model)

    results = list(pipeline.stream(map(picture, range(12)), workers=1))

    assert [result.error is None for result in results] == [number != 5 for number in range(12)]


def test_pictures_of_other_sizes_and_unreadable_ones_are_kept_apart(toy_model: Path, tmp_path: Path) -> None:
    detector = Batching()
    small = np.zeros((50, 50, 3), np.uint8)
    mixed: list[Any] = [picture(0), picture(1), small, tmp_path / "absent.jpg", picture(4), small, small]

    results = list(MaskPipeline(detector, model=toy_model).stream(mixed, workers=1))

    large, little = (100, 60), (50, 50)
    sizes = [large, large, little, (0, 0), large, little, little]
    assert [result.size for result in results] == sizes
    assert isinstance(results[3].error, ImageError)
    assert [len(result) for result in results] == [1, 1, 1, 0, 1, 1, 1]
