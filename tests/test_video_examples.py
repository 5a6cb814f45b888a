"""The example programs for cameras, run as processes on a video whose truth is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

pytest.importorskip("av")
pytest.importorskip("scipy")

from make_video import Person, Place, Scene, write

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody comes in from the left at 0.5 s, puts a mask on at 2.5 s, and goes out on the right at 4.6 s."""
    path = (
        Place(0.3, -0.15, 0.5, 0.35),
        Place(1.5, 0.4, 0.5, 0.35),
        Place(3.5, 0.4, 0.5, 0.35),
        Place(5.0, 1.15, 0.5, 0.35),
    )
    person = Person(0, "astronaut", "white", path, mask_changes=(2.5,))
    file = tmp_path_factory.mktemp("video") / "door.mp4"
    write(Scene((person,), width=320, height=180, seconds=6.5, fps=10), file)
    return file


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_the_counter_shows_who_is_there_and_who_came(video: Path, tmp_path: Path) -> None:
    done = run("camera_counter.py", str(video), folder=tmp_path)

    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    states = [line.partition("s  ")[2] for line in lines]
    assert states == [
        "now nobody; in all nobody",
        "now 1 person (1 without_mask); in all 1 person (1 without_mask)",
        "now 1 person (1 with_mask); in all 1 person (1 without_mask)",
        "now nobody; in all 1 person (1 without_mask)",
    ]
    assert last == "1 person (1 without_mask) came"


def test_the_monitor_prints_events_and_saves_faces(video: Path, tmp_path: Path) -> None:
    places = ["--line", "door=30%,0%,30%,100%", "--zone", "right=60%,0%,100%,0%,100%,100%,60%,100%"]

    done = run("door_monitor.py", str(video), *places, "--faces", "kept", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    kinds = [line.split()[4] for line in done.stdout.splitlines()]
    assert kinds == ["person_entered", "line_crossed", "mask_put_on", "zone_entered", "zone_left", "person_left"]
    times = {line.split()[4]: float(line.split()[0]) for line in done.stdout.splitlines()}
    assert times["person_entered"] == pytest.approx(0.6, abs=0.5)
    assert times["mask_put_on"] == pytest.approx(2.5, abs=0.5)
    assert times["person_left"] == pytest.approx(4.6, abs=0.5)
    assert "line_crossed door out" in done.stdout
    assert "zone_entered right" in done.stdout
    pictures = sorted((tmp_path / "kept").iterdir())
    assert len(pictures) == len(kinds)
    for picture in pictures:
        face = cv2.imread(str(picture))
        assert face is not None
        assert min(face.shape[:2]) > 40


@pytest.mark.parametrize("program", ["camera_counter.py", "door_monitor.py"])
def test_a_source_that_is_not_there_is_told_in_a_line(program: str, tmp_path: Path) -> None:
    done = run(program, "absent.mp4", folder=tmp_path)

    assert done.returncode == 1
    assert "absent.mp4" in done.stderr
    assert "Traceback" not in done.stderr
