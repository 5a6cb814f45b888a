"""``maskcheck detect`` and ``MaskPipeline.watch`` on cameras that are processes: several at once, killed, frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av", reason="PyAV is not installed")

from waiting import wait_until

from maskcheck import Frame, MaskPipeline, MaskRemoved, PersonEntered, PersonLeft, open_source
from maskcheck_bench.live.camera_process import ServerProcess, camera_process, free_port

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def cameras() -> Iterator[list[ServerProcess]]:
    with camera_process(free_port()) as one, camera_process(free_port()) as other:
        yield [one, other]


@pytest.fixture
def start(tmp_path: Path, toy_model: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``maskcheck detect`` on addresses; each frame is a face."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "maskcheck", "detect", "--model", str(toy_model), "--no-detector", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def address(camera: ServerProcess, login: str = "") -> str:
    return f"http://{login}127.0.0.1:{camera.port}/camera"


def results(path: Path) -> list[dict[str, Any]]:
    """The whole lines of results so far."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def count(path: Path, source: str) -> int:
    return sum(line["source"] == source for line in results(path))


@posix
def test_two_cameras_at_once_are_told_apart_and_ctrl_c_sums_them_up(
    start: Callable[..., subprocess.Popen[str]], cameras: list[ServerProcess], tmp_path: Path
) -> None:
    one, other = map(address, cameras)
    process = start(one, other, "--output", "out")
    part = tmp_path / "out" / "results.jsonl.part"
    wait_until(lambda: count(part, one) > 3 and count(part, other) > 3, "results of both cameras", 60)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)

    assert process.returncode == 130, stderr
    lines = results(tmp_path / "out" / "results.jsonl")
    for source in (one, other):
        times = [line["time"] for line in lines if line["source"] == source]
        assert times == sorted(times)
        assert source in stdout
    summaries = list((tmp_path / "out").glob("*.summary.json"))
    assert {json.loads(path.read_text())["source"] for path in summaries} == {one, other}
    assert len(list((tmp_path / "out").glob("*.mp4"))) == 2


@posix
def test_a_camera_that_is_killed_and_comes_back_goes_on_and_standard_error_says_so(
    start: Callable[..., subprocess.Popen[str]], cameras: list[ServerProcess], tmp_path: Path
) -> None:
    camera = cameras[0]
    process = start(address(camera), "--json", "r.jsonl", "--events", "e.jsonl")
    part = tmp_path / "r.jsonl.part"
    wait_until(lambda: count(part, address(camera)) > 3, "results", 60)
    camera.kill()
    said: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: said.extend(iter(process.stderr.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    wait_until(lambda: any("lost" in line for line in said), "the loss is reported")
    before = count(part, address(camera))
    camera.start()
    wait_until(lambda: count(part, address(camera)) > before + 3, "results after the return")
    process.send_signal(signal.SIGINT)
    process.wait(30)

    assert process.returncode == 130
    assert "person_entered" in {event["event"] for event in results(tmp_path / "e.jsonl")}


@posix
def test_ctrl_c_ends_a_run_whose_camera_says_nothing_more(
    start: Callable[..., subprocess.Popen[str]], cameras: list[ServerProcess], tmp_path: Path
) -> None:
    camera = cameras[0]
    process = start(address(camera), "--json", "r.jsonl")
    part = tmp_path / "r.jsonl.part"
    wait_until(lambda: count(part, address(camera)) > 3, "results", 60)
    camera.freeze()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert len(results(tmp_path / "r.jsonl")) > 3


def test_without_reconnect_the_run_ends_where_the_camera_does(
    start: Callable[..., subprocess.Popen[str]], cameras: list[ServerProcess], tmp_path: Path
) -> None:
    camera = cameras[0]
    process = start(address(camera), "--json", "r.jsonl", "--no-reconnect")
    part = tmp_path / "r.jsonl.part"
    wait_until(lambda: count(part, address(camera)) > 3, "results", 60)
    camera.kill()
    process.communicate(timeout=60)

    assert process.returncode == 1
    assert results(tmp_path / "r.jsonl")[-1]["error"]["type"] == "SourceError"


def test_cameras_that_are_not_there_are_a_row_each_and_no_password_shows(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    dead = [f"http://user:secret{number}@127.0.0.1:{free_port()}/camera" for number in range(2)]
    process = start(*dead, "--output", "out", "-vv", "--no-reconnect")
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "2 failed" in stdout
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "out").rglob("*.json*"))
    assert "secret" not in stdout + stderr + written


def test_watch_reports_events_of_a_file_and_closes_it(tmp_path: Path) -> None:
    from make_video import make_scene, write

    video = tmp_path / "street.mp4"
    write(make_scene("demo", fps=8, seconds=6), video)
    with MaskPipeline() as pipeline:
        events = list(pipeline.watch(video, detect_every=2))
    assert isinstance(events[0], PersonEntered)
    removed = next(event for event in events if isinstance(event, MaskRemoved))
    assert removed.time == pytest.approx(4.0, abs=0.5)
    assert removed.crop is not None
    assert removed.crop.shape[2] == 3
    assert isinstance(events[-1], PersonLeft)
    assert {event.source for event in events} == {str(video)}


def test_watch_takes_frames_of_the_caller_and_a_camera_gives_events_a_clock(
    toy_model: Path, cameras: list[ServerProcess]
) -> None:
    import numpy as np

    with MaskPipeline("whole-picture", model=toy_model) as pipeline:
        image = np.zeros((40, 40, 3), np.uint8)
        frames = [Frame(image, source="mine", index=index, time=index / 10) for index in range(20)]
        kinds = [type(event) for event in pipeline.watch(frames, crops=False)]
        assert kinds == [PersonEntered, PersonLeft]
        with pytest.raises(ValueError, match="time"):
            list(pipeline.watch([image]))

        with open_source(address(cameras[0])) as reader:
            events = pipeline.watch(reader)
            first = next(events)
            events.close()
    assert first.clock is not None
    assert first.clock.tzinfo is not None


def test_without_pyav_a_stream_is_a_row_and_says_what_to_install(tmp_path: Path, toy_model: Path) -> None:
    script = "import sys; sys.modules['av'] = None; from maskcheck.commands import main; main()"
    arguments = ["detect", "--model", str(toy_model), "--no-detector", "rtsp://127.0.0.1:9/a", "rtsp://127.0.0.1:9/b"]
    outcome = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )

    assert outcome.returncode == 1, outcome.stderr
    assert outcome.stdout.count('pip install "maskcheck[video]"') == 2


def test_an_outage_is_told_once_and_not_with_each_attempt(
    cameras: list[ServerProcess], start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    camera = cameras[0]
    process = start(address(camera), "--json", "results.jsonl", "-v")
    told: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: told.extend(process.stderr or ()))
    reader.start()
    wait_until(lambda: count(tmp_path / "results.jsonl.part", address(camera)), "a frame")

    camera.kill()
    wait_until(lambda: sum("INFO" in line and "connecting" in line for line in told) > 3, "attempts", 20)
    process.send_signal(signal.SIGINT)
    process.wait(15)
    reader.join(15)

    refused = [line for line in told if line.startswith("maskcheck: http") and "refused" in line]
    assert len(refused) == 1, told
