"""Pictures in worker processes: one that dies or hangs costs its picture alone; none outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from marked_detector import HANGS, KILLS, KILLS_ONCE, WAITS, MarkedDetector, eventually
from numpy.typing import NDArray
from PIL import Image

from maskcheck import Detections, FrameResult, ImageError, MaskCheckError, MaskPipeline, PictureTimeout, WorkerDied
from maskcheck.engine.processes import WorkerProcesses, stream, stream_in_processes
from maskcheck.engine.processes.task import Ticket
from maskcheck.frames import Frame


class NoModel:
    """Ends its process when its models are loaded."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        raise AssertionError(image)

    def warm_up(self) -> None:
        if multiprocessing.parent_process() is not None:
            os._exit(7)


class NoPickle:
    """Cannot be pickled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        raise AssertionError(image)


@pytest.fixture
def pipeline(toy_model: Path, tmp_path: Path) -> MaskPipeline:
    return MaskPipeline(MarkedDetector(tmp_path), model=toy_model, min_score=0.0)


def picture(shade: int, mark: int = 0, size: tuple[int, int] = (24, 24)) -> NDArray[np.uint8]:
    image = np.full((*size, 3), shade, np.uint8)
    image[0, 0] = mark
    return image


def in_processes(
    pipeline: MaskPipeline, marks: list[int], *, workers: int = 2, timeout: float | None = None, group: int = 4
) -> list[FrameResult]:
    frames = (Frame(picture(10 + 8 * n, mark), source=f"{n}.png") for n, mark in enumerate(marks))
    return list(stream_in_processes(pipeline, frames, workers=workers, timeout=timeout, group=group))


def children() -> set[int]:
    return {child.pid or 0 for child in multiprocessing.active_children()}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_idle(pid: int) -> bool:
    """Whether a process uses no time of a CPU for a moment."""
    times = []
    for _ in range(2):
        times.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        threading.Event().wait(0.1)
    return times[0] == times[1]


def test_results_are_those_of_threads_in_order(pipeline: MaskPipeline) -> None:
    marks = [0] * 21
    frames = [Frame(picture(10 + 8 * n), source=f"{n}.png") for n in range(21)]

    results = in_processes(pipeline, marks)

    expected = list(pipeline.stream(frames))
    assert [result.source for result in results] == [f"{n}.png" for n in range(21)]
    assert [result.faces for result in results] == [result.faces for result in expected]
    assert all(result.image is None for result in results)
    assert children() == set()


def test_processes_that_stay_give_the_results_of_one_stream_after_the_other(pipeline: MaskPipeline) -> None:
    expected = [result.faces for result in pipeline.stream([picture(10), picture(90)])]

    with WorkerProcesses(pipeline, workers=1, timeout=60) as processes:
        first = [result.faces for result in processes.stream([picture(10), picture(90)])]
        one = children()
        guilty = next(processes.stream([picture(10, KILLS), picture(10)]))  # closed before its end
        after = [result.faces for result in processes.stream([picture(90)])]
        another = children()
        replaced = processes.replaced

    assert first == expected
    assert isinstance(guilty.error, WorkerDied)
    assert after == expected[1:]
    assert len(one) == len(another) == 1
    assert one != another
    assert replaced == 2
    assert children() == set()


def test_there_are_no_more_workers_than_pictures(pipeline: MaskPipeline) -> None:
    started: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        eventually(lambda: bool(children()))
        while not stop.wait(0.02):
            started.update(children())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert len(in_processes(pipeline, [0, 0], workers=12, group=1)) == 2
    finally:
        stop.set()
        watcher.join()
    assert 1 <= len(started) <= 2


def test_the_picture_on_which_two_workers_die_gets_the_error_and_no_other_result_is_lost(
    pipeline: MaskPipeline,
) -> None:
    results = in_processes(pipeline, [0, 0, KILLS, 0, 0, 0, 0, KILLS, 0, 0])

    died = [result.source for result in results if result.error is not None]
    assert died == ["2.png", "7.png"]
    error = results[2].error
    assert isinstance(error, WorkerDied)
    assert (error.source, error.exit_code) == ("2.png", -signal.SIGKILL)
    assert "2.png: the worker process ended while it worked on it, and so did another one: SIGKILL" in str(error)
    assert [len(result) for result in results] == [1, 1, 0, 1, 1, 1, 1, 0, 1, 1]
    assert [result.source for result in results] == [f"{n}.png" for n in range(10)]


def test_a_picture_on_which_one_worker_dies_is_tried_again(pipeline: MaskPipeline, tmp_path: Path) -> None:
    results = in_processes(pipeline, [0, KILLS_ONCE, 0])

    assert (tmp_path / "died").exists()
    assert [result.error for result in results] == [None, None, None]
    assert [len(result) for result in results] == [1, 1, 1]


def test_a_worker_that_hangs_is_killed_and_the_others_go_on(pipeline: MaskPipeline) -> None:
    results = in_processes(pipeline, [0, HANGS, 0, 0], timeout=1.0)

    error = results[1].error
    assert isinstance(error, PictureTimeout)
    assert (error.source, error.timeout) == ("1.png", 1.0)
    assert [len(result) for result in results] == [1, 0, 1, 1]


def test_a_worker_that_is_killed_from_outside_loses_no_result(pipeline: MaskPipeline) -> None:
    results = []
    with closing(stream_in_processes(pipeline, map(picture, range(10, 130)), workers=2, group=2)) as running:
        for number, result in enumerate(running):
            results.append(result)
            if number in (5, 40):
                os.kill(min(children()), signal.SIGKILL)

    assert [result.frame for result in results] == list(range(120))
    assert {result.error for result in results} == {None}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc, to see that a process waits")
def test_a_worker_that_is_killed_while_it_writes_a_result_takes_no_other_with_it(pipeline: MaskPipeline) -> None:
    large = [picture(shade, size=(1500, 1500)) for shade in range(10, 50, 10)]  # more than fits into the pipe
    results = []
    with closing(stream_in_processes(pipeline, large, workers=1, group=1, keep_images=True)) as running:
        results.append(next(running))
        (worker,) = children()
        assert eventually(lambda: is_idle(worker))  # it waits for somebody to read the next result
        os.kill(worker, signal.SIGKILL)
        results += running

    assert [(result.frame, result.error, len(result)) for result in results] == [(n, None, 1) for n in range(4)]


def test_pictures_that_fail_have_their_errors(pipeline: MaskPipeline, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    Image.new("RGB", (30, 20)).save(tmp_path / "good.png")
    frames: list[Path | Frame] = [
        tmp_path / "bad.png",
        tmp_path / "good.png",
        Frame(None, source="x", error=ImageError("gone")),
    ]

    bad, good, given = stream_in_processes(pipeline, frames, workers=1)

    assert isinstance(bad.error, ImageError)
    assert bad.source == str(tmp_path / "bad.png")
    assert good.size == (30, 20)
    assert str(given.error) == "gone"


def test_an_array_may_be_filled_anew_and_pixels_come_back_if_they_are_asked_for(pipeline: MaskPipeline) -> None:
    shared = picture(0)

    def frames() -> Iterator[NDArray[np.uint8]]:
        for shade in range(10, 90, 10):
            shared[1:] = shade
            yield shared

    results = list(stream_in_processes(pipeline, frames(), workers=1, keep_images=True))

    images = [result.image for result in results if result.image is not None]
    assert [int(image[5, 5, 0]) for image in images] == list(range(10, 90, 10))


def test_results_that_wait_for_an_earlier_one_hold_few_pixels(
    pipeline: MaskPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (400, 400)
    pixels = 3 * size[0] * size[1]
    monkeypatch.setattr(stream, "_MOST_HELD", 4 * pixels)
    tickets: list[Ticket] = []
    held = []
    worked, full = stream._Pool.work, 0

    def work(pool: Any, seconds: float, *, only: Ticket | None) -> None:
        nonlocal full
        full += only is not None
        if full == 3:  # for a while, nothing was read but what the first picture waits for
            (tmp_path / "go").touch()
        worked(pool, seconds, only=only)
        held.append(sum(ticket.held_bytes for ticket in tickets))

    class Remembered(Ticket):
        def __init__(self, frame: Frame) -> None:
            super().__init__(frame)
            tickets.append(self)

    monkeypatch.setattr(stream._Pool, "work", work)
    monkeypatch.setattr(stream, "Ticket", Remembered)
    frames = (picture(9, mark, size) for mark in [WAITS, *[0] * 30])

    for number, result in enumerate(stream_in_processes(pipeline, frames, workers=2, group=4, keep_images=True)):
        tickets.pop(0)
        assert result.image is not None
        assert (result.frame, result.error) == (number, None)

    assert full >= 3
    assert 4 * pixels < max(held) <= 6 * pixels


def test_no_more_than_some_pictures_are_taken_ahead(pipeline: MaskPipeline) -> None:
    taken = 0

    def frames() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield picture(10)

    with closing(stream_in_processes(pipeline, frames(), workers=1, group=2)) as running:
        for _ in range(3):
            next(running)
        assert taken <= 3 + 8


def test_what_the_source_raises_comes_after_the_results_before_it(pipeline: MaskPipeline) -> None:
    def frames() -> Iterator[NDArray[np.uint8]]:
        yield picture(10)
        yield picture(20)
        raise OSError("the camera is gone")

    running = stream_in_processes(pipeline, frames(), workers=1)

    assert [next(running).frame, next(running).frame] == [0, 1]
    with pytest.raises(OSError, match="the camera is gone"):
        next(running)
    assert children() == set()


def test_once_stopped_it_ends_after_what_is_nearly_finished(pipeline: MaskPipeline) -> None:
    stop = threading.Event()
    marks = [0, 0, HANGS, 0, 0, 0, 0, 0]
    frames = (Frame(picture(10, mark), source=str(n)) for n, mark in enumerate(marks))
    results = []

    for result in stream_in_processes(pipeline, frames, workers=1, stop=stop, group=1):
        results.append(result)
        if len(results) == 2:
            stop.set()

    assert [result.source for result in results] == ["0", "1"]
    assert children() == set()


def test_models_that_cannot_be_loaded_are_an_error_and_not_a_loop(toy_model: Path) -> None:
    with pytest.raises(WorkerDied, match="while it loaded the models: exit status 7"):
        list(stream_in_processes(MaskPipeline(NoModel(), model=toy_model), [picture(10)], workers=1))
    assert children() == set()


def test_a_detector_that_cannot_be_pickled_is_refused_at_once(toy_model: Path) -> None:
    with pytest.raises(MaskCheckError, match="cannot be given to worker processes"):
        stream_in_processes(MaskPipeline(NoPickle(), model=toy_model), [], workers=1)


PARENT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {tests!r} + "/detectors"]
from maskcheck import MaskPipeline
from maskcheck.engine.processes import stream, stream_in_processes
from maskcheck.engine.processes.task import Ticket
from marked_detector import HANGS, MarkedDetector
from test_worker_processes import children, picture
if __name__ == "__main__":
    pipeline = MaskPipeline(MarkedDetector(Path({folder!r})), model={model!r}, min_score=0.0)
    marks = iter([0, 0, HANGS, HANGS])
    try:
        for result in stream_in_processes(pipeline, (picture(9, mark) for mark in marks), workers=2, group=1):
            print(*children(), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc, to see which processes run")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(toy_model: Path, tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(tests=str(Path(__file__).parent), folder=str(tmp_path), model=str(toy_model)))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        parent.stdout.readline()
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(is_running, workers))
        if number == signal.SIGINT:  # as Ctrl-C, which all processes of the group get
            os.killpg(parent.pid, number)
            assert parent.stdout.readline() == "interrupted\n"
            assert parent.stderr.read() == ""
        else:
            parent.kill()
        assert eventually(lambda: not any(map(is_running, workers)))
