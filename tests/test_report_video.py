"""Thumbnails of people in videos are cut out of the frames that the results name."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from maskcheck.commands import main
from maskcheck.pictures.crops import crop_face
from maskcheck.results import Face, FrameResult

pytest.importorskip("av", reason="PyAV is not installed")

from make_video import RenderedFrame, make_scene, render, write

SIZE = (320, 180)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[RenderedFrame]]:
    """Half a minute at 10 frames a second, in which people move."""
    scene = make_scene("gap", seed=2, fps=10, seconds=26, size=SIZE, noise=0)
    path = tmp_path_factory.mktemp("video") / "people.mp4"
    write(scene, path, quality=10)
    return path, list(render(scene))


def page_of(folder: Path, results: list[FrameResult], *arguments: str) -> dict[str, Any]:
    folder.mkdir()
    (folder / "results.jsonl").write_text("".join(json.dumps(each.to_dict()) + "\n" for each in results))
    (folder / "receipt.json").write_text("{}")
    outcome = CliRunner().invoke(main, ["report", str(folder), *arguments])
    assert outcome.exit_code == 0, outcome.output
    text = (folder / "report.html").read_text("utf-8")
    data: dict[str, Any] = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    return data


def results_of(video: tuple[Path, list[RenderedFrame]], frames: list[int]) -> list[FrameResult]:
    """Results in which each of these frames has the first face of the truth, as a track of its own."""
    path, rendered = video
    results = []
    for index in frames:
        frame = rendered[index]
        (x1, y1, x2, y2) = (float(round(edge)) for edge in frame.faces[0].box)
        face = Face((x1, y1, x2, y2), "with_mask", 0.9, {"with_mask": 0.9}, 0.9, track_id=index)
        results.append(FrameResult((face,), SIZE, source=str(path), frame=index, time=frame.time))
    return results


def thumbnail(face: dict[str, Any]) -> NDArray[np.float64]:
    assert face["image"], face["missing"]
    encoded = np.frombuffer(base64.b64decode(face["image"].partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.float64)


def test_each_thumbnail_is_cut_out_of_its_frame(video: tuple[Path, list[RenderedFrame]], tmp_path: Path) -> None:
    frames = [0, 3, 4, 60, 61, 200, 259]

    data = page_of(tmp_path / "out", results_of(video, frames))

    assert sorted(face["frame"] for face in data["faces"]) == frames
    for face in data["faces"]:
        shown = thumbnail(face)
        box = np.array(face["box"], np.float64)

        def difference(index: int, box: NDArray[np.float64] = box, shown: NDArray[np.float64] = shown) -> float:
            expected = crop_face(video[1][index].image, box, size=128, margin=0.35)[..., ::-1]
            return float(np.abs(shown - expected).mean())

        others = {max(face["frame"] - 8, 0), min(face["frame"] + 8, 259)} - {face["frame"]}
        assert difference(face["frame"]) < 8
        assert all(difference(other) > difference(face["frame"]) for other in others)


def test_thumbnails_of_a_video_are_blurred(video: tuple[Path, list[RenderedFrame]], tmp_path: Path) -> None:
    frames = [10, 150]
    clear = page_of(tmp_path / "clear", results_of(video, frames))
    blurred = page_of(tmp_path / "blurred", results_of(video, frames), "--blur", "all")

    for before, after in zip(clear["faces"], blurred["faces"], strict=True):
        middle = np.s_[34:94, 34:94]
        steps = [np.abs(np.diff(thumbnail(each)[middle], axis=0)).mean() for each in (before, after)]
        assert steps[1] < steps[0] / 2


def test_a_video_that_changed_or_is_damaged_has_no_thumbnails(
    video: tuple[Path, list[RenderedFrame]], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"\0\0\0\x14ftypqt  " + bytes(2000))
    (first,) = results_of(video, [5])
    results = [
        replace(first, frame=9000, time=900.0),
        replace(first, frame=1, time=20.0),
        replace(first, source=str(damaged)),
    ]

    data = page_of(tmp_path / "out", [replace(each, source=each.source or "") for each in results])

    assert {face["missing"] for face in data["faces"]} <= {
        "the video has changed",
        "the video cannot be read any more",
    }
    assert all(face["image"] is None for face in data["faces"])
