"""Ctrl-C and SIGTERM in ``maskcheck detect``, in processes of their own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the processes speak by named pipes")

# One face for each picture. On a picture of 77 pixels it says so and hangs; or it lets a plugin's thread hang in C.
PLUGIN = """
import os
import time
import numpy as np
from maskcheck import Detections, DetectorSpec, hookimpl

class Hanging:
    def detect(self, image):
        if image.shape[1] == 77:
            with open(os.environ["READY"], "w") as pipe:
                pipe.write("ready")
            with open(os.environ["FOREVER"]) as pipe:  # nobody ever opens its other end
                pipe.read()
        return Detections(np.array([[0, 0, 20, 20]], np.float32), np.ones(1, np.float32))

@hookimpl
def maskcheck_register_detectors():
    return [DetectorSpec("hanging", "hangs on wide pictures", Hanging, api_version=1)]
"""


@pytest.fixture
def site(tmp_path: Path, install_plugin: Callable[[str, str], Path]) -> Path:
    """A folder of modules with the plugin in it."""
    os.mkfifo(tmp_path / "ready")
    os.mkfifo(tmp_path / "forever")
    return install_plugin("hanging", PLUGIN)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures that the detector finishes, a fourth on which it hangs, and a fifth."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, width in (("a", 50), ("b", 50), ("c", 50), ("d", 77), ("e", 50)):
        Image.new("RGB", (width, 40), "grey").save(folder / f"{name}.png")
    return folder


@pytest.fixture
def start(site: Path, toy_model: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``maskcheck detect`` and waits until its detector hangs."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str | Path) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
            "READY": str(tmp_path / "ready"),
            "FOREVER": str(tmp_path / "forever"),
        }
        command = [
            sys.executable,
            "-m",
            "maskcheck",
            "detect",
            "--model",
            toy_model,
            "--detector",
            "hanging",
            *arguments,
        ]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        running.append(process)
        pipe = os.open(tmp_path / "ready", os.O_RDWR)
        try:
            readable, _, _ = select.select([pipe], [], [], 30)
            if not readable:
                process.kill()
            assert readable, process.communicate()
            assert os.read(pipe, 100) == b"ready"
        finally:
            os.close(pipe)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def sources(path: Path) -> list[str]:
    content: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [Path(line["source"]).name for line in content]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_that_hangs_and_its_results_are_kept(
    start: Callable[..., subprocess.Popen[str]], pictures: Path, tmp_path: Path, number: int, status: int
) -> None:
    process = start(pictures, "--output", tmp_path / "out", "--batch-size", "1")  # the three are finished, however slow

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == status
    assert "stopped after 3 of 5" in stdout
    assert "3 pictures, 3 faces; annotated pictures and results.jsonl are in" in stdout
    assert stderr == ""
    assert sources(tmp_path / "out" / "results.jsonl") == ["a.png", "b.png", "c.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("a.png", "b.png", "c.png", "receipt.json", "results.jsonl")
    ]


def test_two_signals_end_it_in_the_same_way(
    start: Callable[..., subprocess.Popen[str]], pictures: Path, tmp_path: Path
) -> None:
    for _ in range(3):
        process = start(pictures, "--json", tmp_path / "r.jsonl")

        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)

        assert process.returncode == 130  # not -6: it does not abort in a thread
        assert "Traceback" not in stderr


def test_a_killed_run_leaves_the_results_of_the_earlier_run(
    start: Callable[..., subprocess.Popen[str]], pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    old = '{"schema": "maskcheck/1", "source": "old.png"}\n' * 80
    (out / "results.jsonl").write_text(old)
    process = start(pictures, "--output", out, "--batch-size", "1")

    process.kill()
    process.communicate(timeout=60)

    assert (out / "results.jsonl").read_text() == old
    assert set(sources(out / "results.jsonl.part")) <= {"a.png", "b.png", "c.png"}  # whole lines


def test_a_second_run_into_the_same_folder_is_refused_until_the_first_is_killed(
    start: Callable[..., subprocess.Popen[str]], pictures: Path, toy_model: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "maskcheck", "detect", "--model", toy_model, pictures / "a.png"]
    second = [*map(str, command), "--output", str(tmp_path / "out")]
    process = start(pictures, "--output", tmp_path / "out")

    refused = subprocess.run(second, capture_output=True, text=True, check=False)
    process.kill()
    process.communicate(timeout=60)
    accepted = subprocess.run(second, capture_output=True, text=True, check=False)

    assert refused.returncode == 2
    assert refused.stderr == (
        f"maskcheck: another run is writing to {tmp_path / 'out'}; wait until it ends, or choose another folder\n"
    )
    assert accepted.returncode == 0, accepted.stderr
    assert sources(tmp_path / "out" / "results.jsonl") == ["a.png"]
