"""``maskcheck detect`` with videos, disks and users that do what they should not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from maskcheck.commands import main

pytest.importorskip("av", reason="PyAV is not installed")

from making_videos import make_video
from scripted_server import ScriptedServer, some_pictures

from maskcheck.commands.detect.copies import annotated_video
from maskcheck.sources.video_file import VideoReader

FRAMES = 6


@pytest.fixture
def detect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_model: Path) -> Callable[..., Result]:
    """Runs the command in a folder of its own, where the video ``a.mp4`` is."""
    monkeypatch.chdir(tmp_path)
    make_video("a.mp4", FRAMES)

    def run(*arguments: str) -> Result:
        command = ["detect", "--model", str(toy_model), "--no-detector", *arguments]
        return CliRunner().invoke(main, command)

    return run


def results(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / "results.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("times", [("5", "3"), ("5", "5"), (None, "0")])
def test_an_end_before_the_start_is_a_wrong_command_line(
    detect: Callable[..., Result], times: tuple[str | None, str]
) -> None:
    start, end = times
    outcome = detect("a.mp4", *(["--start", start] if start else []), "--end", end)
    assert outcome.exit_code == 2
    assert "--end: expected a later time than --start" in outcome.output


def test_frames_of_other_sizes_have_results_of_their_own_size_and_the_copy_says_so(
    detect: Callable[..., Result],
) -> None:
    with Path("two.ts").open("wb") as file:
        for size in ((64, 48), (128, 96)):
            file.write(make_video("part.ts", FRAMES, size=size, codec="mpeg2video", b_frames=0).read_bytes())
    outcome = detect("two.ts", "--output", "out")
    assert outcome.exit_code == 0, outcome.output
    assert "pictures of other sizes were scaled to fit into 64 x 48 pixels" in outcome.output
    assert {(line["width"], line["height"]) for line in results()} == {(64, 48), (128, 96)}
    with VideoReader("out/two.ts.mp4") as reader:
        assert sum(1 for _ in reader) == len(results())


def test_a_video_that_may_be_cut_off_says_so_in_its_row(detect: Callable[..., Result]) -> None:
    whole = make_video("whole.mkv", 100, noise=True).read_bytes()
    Path("cut.mkv").write_bytes(whole[: len(whole) // 2])
    outcome = detect("cut.mkv", "--output", "out")
    assert "it may be cut off" in outcome.output
    assert f"4.00 s; {len(results())} frames up to" in outcome.output
    assert 10 < len(results()) < 70


def test_on_a_disk_that_is_full_for_the_chart_the_earlier_one_stays_and_the_run_fails(
    detect: Callable[..., Result], toy_model: Path
) -> None:
    resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    assert detect("a.mp4", "--output", "out").exit_code == 0
    chart = Path("out/a.mp4.chart.png")
    before = chart.read_bytes()
    limit = len(before) - 1

    def limit_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "maskcheck", "detect", "--model", str(toy_model), "--no-detector", "a.mp4"]
    outcome = subprocess.run(
        [*command, "--output", "out"],
        preexec_fn=limit_files,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 1, outcome.stderr
    assert f"not summed up: cannot write {chart}" in outcome.stdout
    assert chart.read_bytes() == before
    assert len(results()) == FRAMES


@pytest.mark.parametrize("file", ["a.mp4.chart.png", "a.mp4.summary.json"])
def test_links_in_the_place_of_the_chart_and_the_summary_are_not_followed(
    detect: Callable[..., Result], file: str
) -> None:
    assert detect("a.mp4", "--output", "out").exit_code == 0
    Path("precious").write_text("precious")
    (Path("out") / file).unlink()
    try:
        (Path("out") / file).symlink_to(Path("precious").absolute())
    except OSError:
        pytest.skip("this system makes no links")
    outcome = detect("a.mp4", "--output", "out")
    assert outcome.exit_code != 0
    assert file in outcome.output
    assert Path("precious").read_text() == "precious"


def before_the_second_pass(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    finish = annotated_video.BlurredFile.finish

    def then_finish(self: annotated_video.BlurredFile, *, complete: bool) -> Path | None:
        happens()
        return finish(self, complete=complete)

    monkeypatch.setattr(annotated_video.BlurredFile, "finish", then_finish)


@pytest.mark.parametrize("change", ["removed", "replaced", "rewritten"])
def test_a_video_that_changes_while_it_is_blurred_gets_no_copy_and_the_others_do(
    detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    shutil.copy("a.mp4", "b.mp4")
    other = make_video("other.mov", FRAMES, noise=True)

    def changes() -> None:
        if change == "removed":
            Path("a.mp4").unlink(missing_ok=True)
        elif change == "replaced" and other.exists():
            other.replace("a.mp4")
        elif change == "rewritten":
            Path("a.mp4").write_bytes(other.read_bytes())

    before_the_second_pass(monkeypatch, changes)
    outcome = detect("a.mp4", "b.mp4", "--output", "out", "--blur", "all")
    assert outcome.exit_code == 1, outcome.output
    assert ("no such file: a.mp4" if change == "removed" else "a.mp4 has changed") in outcome.output
    assert "1 not annotated" in outcome.output
    assert not Path("out/a.mp4").exists()
    assert Path("out/b.mp4").exists()
    assert len(results()) == 2 * FRAMES


def test_a_signal_ends_the_blurring_of_a_video_soon_and_it_can_be_continued(
    detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        before_the_second_pass(patch, lambda: os.kill(os.getpid(), signal.SIGINT))
        outcome = detect("a.mp4", "--output", "out", "--blur", "all")
    assert outcome.exit_code == 130
    assert "not annotated, as the run was stopped" in outcome.output
    assert not Path("out/a.mp4").exists()
    assert Path("out/a.mp4.summary.json").exists()
    assert len(results()) == FRAMES

    assert detect("a.mp4", "--output", "out", "--blur", "all", "--resume").exit_code == 0
    assert Path("out/a.mp4").exists()
    assert len(results()) == FRAMES


def test_a_blurred_camera_that_is_lost_has_a_copy_with_all_its_frames(detect: Callable[..., Result]) -> None:
    def camera(connection: socket.socket, _request: bytes, _ended: threading.Event) -> None:
        connection.sendall(some_pictures(FRAMES))

    with ScriptedServer(camera) as server:
        outcome = detect(server.http, "--no-reconnect", "--output", "out", "--blur", "all")
    assert outcome.exit_code == 1
    assert "the server closed the connection" in outcome.output
    (copy,) = Path("out").glob("*.mp4")
    with VideoReader(copy) as reader:
        assert sum(1 for _ in reader) == len([line for line in results() if line["error"] is None]) > 0
    assert len(list(Path("out").glob("*.summary.json"))) == 1


@pytest.mark.parametrize("more", [[], ["--resume"]], ids=["new", "continued"])
@pytest.mark.parametrize(
    "file", ["a.mp4", "link.jsonl", "notes.txt", "out/results.jsonl", "out/receipt.json", "new.jpg"]
)
def test_events_overwrite_no_other_file(detect: Callable[..., Result], file: str, more: list[str]) -> None:
    Path("notes.txt").write_text("notes")
    Path("link.jsonl").hardlink_to("a.mp4")
    before = Path(file).read_bytes() if Path(file).exists() else None
    outcome = detect("a.mp4", "--events", file, "--output", "out", *more)
    assert outcome.exit_code == 2
    assert "--events takes the file to write events to" in " ".join(outcome.output.split())
    assert (Path(file).read_bytes() if Path(file).exists() else None) == before


def test_events_replace_those_of_an_earlier_run(detect: Callable[..., Result]) -> None:
    make_video("a.mp4", 50)
    events = []
    for more in ([], [], ["--resume", "--json", "results.jsonl"]):
        assert detect("a.mp4", "--events", "events.jsonl", *more).exit_code == 0
        events.append(Path("events.jsonl").read_text("utf-8"))
    assert events[0] == events[1] != ""
    assert events[2] == 2 * events[0]


def test_events_that_no_broker_took_say_why(detect: Callable[..., Result]) -> None:
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    make_video("a.mp4", 50)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        outcome = detect("a.mp4", "--mqtt", f"mqtt://127.0.0.1:{unheard.getsockname()[1]}")
    assert outcome.exit_code == 1
    assert "dropped, 0 failed (the broker cannot be reached" in outcome.output
