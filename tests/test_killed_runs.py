"""``maskcheck detect`` is killed at random moments and continued: the lines are those of a run that nobody disturbs."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PICTURES = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Many small pictures in two folders; every fortieth is bad."""
    pictures = tmp_path / "pictures"
    noise = np.random.default_rng(15)
    for number in range(PICTURES):
        path = pictures / "ab"[number % 2] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 40 == 7:
            path.write_bytes(b"no picture")
        else:
            Image.fromarray(noise.integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    return pictures


@pytest.fixture
def start(folder: Path, toy_model: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``maskcheck detect`` on the folder, as a process."""

    def begin(*arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "maskcheck", "detect", "pictures", "--no-detector"),
                *("--model", str(toy_model), *map(str, arguments)),
            ],
            cwd=folder.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status, and what it said on standard error."""
    _, told = process.communicate(timeout=60)
    return process.returncode, told


def lines(path: Path) -> list[dict[str, Any]]:
    """The results, without their times."""
    return [json.loads(line) | {"timings_ms": None} for line in path.read_text().splitlines()]


def whole_lines(output: Path) -> int:
    for name in ("results.jsonl.part", "results.jsonl"):
        with suppress(FileNotFoundError):  # the first may become the second at any moment
            return (output / name).read_bytes().count(b"\n")
    return 0


def kill_at(process: subprocess.Popen[str], output: Path, results: int) -> None:
    """Kill a run with SIGKILL once it has so many results, or when it ends before."""
    deadline = time.monotonic() + 60
    while whole_lines(output) < results and process.poll() is None and time.monotonic() < deadline:
        pass
    process.kill()
    process.communicate()


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["threads", "workers"])
def test_a_run_that_is_killed_again_and_again_has_the_lines_of_one_that_is_not(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert finish(start("--output", "calm"))[0] == 1
    moments = random.Random(15)
    kills = 10 if not arguments else 2
    killed = tmp_path / "killed"

    for number in range(kills):
        if arguments or number % 2:
            process = start("--output", "killed", "--resume", "--format", "csv", *arguments)
            kill_at(process, killed, whole_lines(killed) + moments.randrange(PICTURES // kills))
        else:  # at any moment at all, most often before the first line
            process = start("--output", "killed", "--resume", "--format", "csv")
            with suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.05, 0.55))
            process.kill()
            process.communicate()
    done = whole_lines(killed)
    status, told = finish(start("--output", "killed", "--resume", "--format", "csv", *arguments))

    assert done > 0
    assert f"maskcheck: continues {done} results in " in told
    assert status == 1
    assert lines(killed / "results.jsonl") == lines(tmp_path / "calm" / "results.jsonl")
    with (killed / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PICTURES
    copies = [path.relative_to(killed) for path in killed.rglob("*.png")]
    assert sorted(copies) == sorted(path.relative_to(tmp_path / "calm") for path in (tmp_path / "calm").rglob("*.png"))
    assert sorted(path.name for path in killed.iterdir() if path.is_file()) == [
        "receipt.json",
        "results.csv",
        "results.jsonl",
    ]
    json.loads((killed / "receipt.json").read_text())


def test_a_picture_that_is_done_has_its_copy_whenever_the_run_is_killed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("--output", "out")
    kill_at(process, tmp_path / "out", 30)

    part = (tmp_path / "out" / "results.jsonl.part").read_text().splitlines(keepends=True)
    done = [json.loads(line) for line in part if line.endswith("\n")]
    assert len(done) >= 30
    for line in done:
        copy = tmp_path / "out" / Path(line["source"]).relative_to("pictures")
        assert copy.exists() == (line["error"] is None)


def test_a_video_that_a_killed_run_was_at_is_worked_on_anew(
    start: Callable[..., subprocess.Popen[str]], folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="videos need PyAV")
    from maskcheck.recording import VideoWriter
    from maskcheck.sources.reader import VideoInfo

    for path in sorted(folder.rglob("*.png"))[5:]:
        path.unlink()
    for number in range(3):
        with closing(VideoWriter(folder / f"{number}.mp4", like=VideoInfo((64, 48), frame_rate=25.0))) as writer:
            for frame in range(40):
                writer.write(np.full((48, 64, 3), 40 * number + frame, np.uint8), frame / 25)
    assert finish(start("--output", "calm"))[0] == 0
    expected = lines(tmp_path / "calm" / "results.jsonl")
    assert len(expected) == 5 + 3 * 40

    for whole in (20, 5 + 50, 5 + 95):  # in the first video, in the second, in the third
        kill_at(start("--output", "killed", "--resume"), tmp_path / "killed", whole)
    status, told = finish(start("--output", "killed", "--resume"))

    assert status == 0, told
    assert lines(tmp_path / "killed" / "results.jsonl") == expected
    written = {path.name for path in (tmp_path / "calm").rglob("*") if path.is_file()}
    assert {path.name for path in (tmp_path / "killed").rglob("*") if path.is_file()} == written
    assert {"0.mp4", "1.mp4", "2.mp4"} < written


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_run_that_is_stopped_is_continued_as_well(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    assert finish(start("--json", "calm.jsonl"))[0] == 1
    process = start("--json", "stopped.jsonl")
    deadline = time.monotonic() + 60
    part = tmp_path / "stopped.jsonl.part"
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        pass
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    assert 0 < len(lines(tmp_path / "stopped.jsonl")) < PICTURES

    assert finish(start("--json", "stopped.jsonl", "--resume"))[0] == 1

    assert lines(tmp_path / "stopped.jsonl") == lines(tmp_path / "calm.jsonl")


def test_results_of_another_run_are_refused_and_stay(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    kill_at(start("--output", "out"), tmp_path / "out", 5)
    before = (tmp_path / "out" / "results.jsonl.part").read_bytes()

    for other, message in (
        (("--max-faces", "7"), "max_faces was 1000, now 7"),
        (("--max-side", "99"), "limits.max_side was"),
        (("--min-score", "0.1"), "min_score was"),
        (("--blur", "all"), "blur was unset, now all"),
    ):
        status, told = finish(start("--output", "out", "--resume", *other))
        assert status == 2
        assert message in told
    assert (tmp_path / "out" / "results.jsonl.part").read_bytes() == before


def test_resume_needs_results(start: Callable[..., subprocess.Popen[str]]) -> None:
    status, told = finish(start("--resume"))

    assert status == 2
    assert "--resume needs" in " ".join(told.split())
