"""``maskcheck detect VIDEO --blur all``: no face shows in the copy, of all people whom the embedded detector finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from maskcheck.commands import main

pytest.importorskip("av", reason="PyAV is not installed")

from make_video import TrueFace, make_scene, read_truth, write
from maskcheck.sources.video_file import VideoReader


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people; one comes in from the right, and one walks behind the others."""
    path = tmp_path_factory.mktemp("video") / "people.mp4"
    write(make_scene("demo", fps=12, seconds=7, noise=6), path, quality=14)
    return path


def pixels(path: Path) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return [np.asarray(frame.image, np.uint8) for frame in reader]


def changed(face: TrueFace, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """The share of a face's pixels that the copy does not show, by more than its encoder changes them."""
    x1, y1, x2, y2 = (round(edge) for edge in face.box)
    area = np.s_[max(y1, 0) : y2, max(x1, 0) : x2]
    return float((np.abs(before[area].astype(int) - after[area]) > 12).any(axis=2).mean())


def found(results: Path, frames: list[tuple[float, list[TrueFace]]]) -> set[int]:
    """The people whom the detector found at all, by the number of their track in the truth."""
    people = set()
    for line in map(json.loads, results.read_text("utf-8").splitlines()):
        for x1, y1, x2, y2 in (face["box"] for face in line["faces"]):
            for truth in frames[line["frame"]][1]:
                if truth.box[0] < (x1 + x2) / 2 < truth.box[2] and truth.box[1] < (y1 + y2) / 2 < truth.box[3]:
                    people.add(truth.track)
    return people


@pytest.mark.parametrize("blur", [[], ["--blur", "all"]], ids=["clear", "blurred"])
def test_no_face_of_a_video_shows_in_its_blurred_copy(video: Path, tmp_path: Path, blur: list[str]) -> None:
    command = ["detect", str(video), "--output", str(tmp_path / "out"), "--detect-every", "2", *blur]
    outcome = CliRunner().invoke(main, command)
    assert outcome.exit_code == 0, outcome.output

    frames, _ = read_truth(video)
    people = found(tmp_path / "out" / "results.jsonl", frames)
    assert {0, 1} <= people  # one stands there, one comes in
    shares = [
        changed(face, before, after)
        for (_, faces), before, after in zip(
            frames, pixels(video), pixels(tmp_path / "out" / "people.mp4"), strict=True
        )
        for face in faces
        if face.track in people and face.visible > 0.02
    ]

    assert len(shares) > 140
    if blur:
        assert min(shares) > 0.8
    else:
        assert np.median(shares) < 0.3
