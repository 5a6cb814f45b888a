"""``maskcheck detect`` on videos: results, annotated copy, summary, chart, events, and what ends a run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from maskcheck.commands import main

pytest.importorskip("av", reason="PyAV is not installed")

from making_videos import make_video
from waiting import wait_until

from make_video import make_scene, write
from maskcheck.sources.video_file import VideoReader


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, with sound: one takes the mask off after four seconds, the other puts one on after seven."""
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    write(make_scene("demo", fps=8, seconds=8), path, audio=True)
    return path


@pytest.fixture
def detect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["detect", *map(str, arguments)])


def lines(path: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def frame_times(path: Path) -> list[float]:
    with VideoReader(path) as reader:
        return [round(frame.time or 0.0, 3) for frame in reader]


def test_a_video_has_results_of_each_frame_an_annotated_copy_a_summary_and_a_chart(
    detect: Callable[..., Result], demo: Path
) -> None:
    outcome = detect(demo, "--output", "out", "--events", "events.jsonl", "--detect-every", "2")
    assert outcome.exit_code == 0, outcome.output
    assert "1 video, 64 frames" in outcome.stdout

    frames = lines("out/results.jsonl")
    assert [line["frame"] for line in frames] == list(range(64))
    assert [line["time"] for line in frames] == [index / 8 for index in range(64)]
    assert {line["source"] for line in frames} == {str(demo)}
    assert all("track_id" in face for line in frames for face in line["faces"])
    assert {face.get("predicted", False) for line in frames[1::2] for face in line["faces"]} == {True}
    assert {face.get("predicted", False) for line in frames[::2] for face in line["faces"]} == {False}

    copy = Path("out/street.mp4")
    assert frame_times(copy) == frame_times(demo)
    with VideoReader(copy) as ours, VideoReader(demo) as original:
        assert ours.info.has_audio
        assert ours.info.size == original.info.size
        different = [
            np.abs(np.asarray(a.image, np.int16) - np.asarray(b.image, np.int16)).max()
            for a, b in zip(ours, original, strict=True)
        ]
    assert min(different) > 100  # a box is drawn in each frame

    summary = json.loads(Path("out/street.mp4.summary.json").read_text())
    assert summary["complete"]
    assert summary["frames"] == 64
    assert summary["people"]["total"] >= 2
    chart = cv2.imread("out/street.mp4.chart.png")
    assert chart is not None
    assert chart.shape == (450, 1200, 3)

    kinds = Counter(event["event"] for event in lines("events.jsonl"))
    truth = Counter(event.kind for event in true_events_of(demo))
    assert kinds["mask_removed"] == truth["mask_removed"] == 1
    assert kinds["mask_put_on"] == truth["mask_put_on"] == 1
    removed = next(event for event in lines("events.jsonl") if event["event"] == "mask_removed")
    assert removed["time"] == pytest.approx(4.0, abs=0.5)
    assert sorted(Path("out/events").glob("*_mask_removed.jpg"))


def true_events_of(video: Path) -> list[Any]:
    from make_video import read_truth

    return read_truth(video)[1]


def test_a_part_of_a_video_keeps_its_numbers_times_and_sound(detect: Callable[..., Result], demo: Path) -> None:
    command = ("--output", "out", "--every", "3", "--start", "0:02", "--end", "4", "--no-detector")
    outcome = detect(demo, *command)
    assert outcome.exit_code == 0, outcome.output
    assert [line["frame"] for line in lines("out/results.jsonl")] == [18, 21, 24, 27, 30]
    with VideoReader("out/street.mp4") as copy:
        assert copy.info.has_audio
        assert len(list(copy)) == 5


def test_the_copy_of_a_turned_video_is_upright(detect: Callable[..., Result], tmp_path: Path) -> None:
    make_video(tmp_path / "phone.mp4", 5, size=(96, 64), rotation=90)
    assert detect("phone.mp4", "--output", "out", "--no-detector").exit_code == 0
    with VideoReader("out/phone.mp4") as copy:
        assert copy.info.size == (64, 96)
        assert copy.info.rotation == 0
    assert lines("out/results.jsonl")[0]["width"] == 64


def test_pictures_and_videos_of_folders_are_one_run(detect: Callable[..., Result], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        make_video(tmp_path / "in" / folder / "x.mp4", 4)
    cv2.imwrite(str(tmp_path / "in" / "p.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "in" / "broken.mp4").write_bytes((tmp_path / "in/a/x.mp4").read_bytes()[:300])

    outcome = detect("in", "--output", "out", "--no-detector")

    assert outcome.exit_code == 1  # the broken one
    assert "1 picture, 1 face; 2 videos, 8 frames, 2 people, 1 failed" in outcome.stdout
    sources = [line["source"] for line in lines("out/results.jsonl")]
    assert sources == ["in/p.png", "in/broken.mp4", *["in/a/x.mp4"] * 4, *["in/b/x.mp4"] * 4]
    assert lines("out/results.jsonl")[1]["error"]["type"] == "SourceError"
    copies = {path.relative_to("out") for path in Path("out").rglob("*.mp4")}
    assert copies == {Path("a/x.mp4"), Path("b/x.mp4")}


def test_two_videos_of_one_name_have_a_copy_each(detect: Callable[..., Result], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_video(tmp_path / folder / "x.mp4", 3)
    assert detect("a/x.mp4", "b/x.mp4", "--output", "out", "--no-detector").exit_code == 0
    assert sorted(path.name for path in Path("out").glob("*.mp4")) == ["x-2.mp4", "x.mp4"]
    assert sorted(path.name for path in Path("out").glob("*.json") if "x" in path.name) == [
        *("x-2.mp4.summary.json", "x.mp4.summary.json")
    ]


def test_without_images_no_picture_of_any_kind_is_written(detect: Callable[..., Result], demo: Path) -> None:
    outcome = detect(demo, "--output", "out", "--no-images", "--events", "e.jsonl", "--end", "5", "--detect-every", "5")
    assert outcome.exit_code == 0, outcome.output
    written = sorted(path.name for path in Path("out").rglob("*"))
    assert written == ["receipt.json", "results.jsonl", "street.mp4.summary.json"]


def test_events_on_standard_output_are_alone_there(detect: Callable[..., Result], demo: Path) -> None:
    outcome = detect(demo, "--events", "-", "--end", "2", "--detect-every", "5")
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert "person_entered" in {event["event"] for event in events}
    both = detect(demo, "--events", "-", "--json", "-")
    assert both.exit_code == 2
    assert "exclude each other" in both.stderr


def test_lines_that_are_crossed_are_counted(detect: Callable[..., Result], demo: Path) -> None:
    outcome = detect(demo, "--output", "out", "--line", "gate=50%,0,50%,100%", "--detect-every", "3", "--end", "3")
    assert outcome.exit_code == 0, outcome.output
    summary = json.loads(Path("out/street.mp4.summary.json").read_text())
    assert set(summary["lines"]) == {"gate"}


def test_options_of_videos_are_refused_where_all_sources_are_pictures(
    detect: Callable[..., Result], portrait: Path
) -> None:
    outcome = detect(portrait, "--every", "2", "--events", "-")
    assert outcome.exit_code == 2
    assert "--every, --events: only for videos and cameras" in outcome.output


def test_a_label_in_a_video_fails_the_run(detect: Callable[..., Result], demo: Path) -> None:
    assert detect(demo, "--end", "2", "--detect-every", "5", "--fail-on", "with_mask").exit_code == 1


BLOCKED = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
from maskcheck.commands import main
main(sys.argv[2:], prog_name="maskcheck")
"""


def test_without_pyav_a_video_says_what_to_install_and_pictures_go_on(tmp_path: Path, portrait: Path) -> None:
    video = make_video(tmp_path / "x.mp4", 3)
    command = ["detect", str(video), str(portrait), "--no-detector", "--json", str(tmp_path / "r.jsonl")]
    process = subprocess.run(
        [sys.executable, "-c", BLOCKED, "av", *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 1, process.stderr
    results = lines(tmp_path / "r.jsonl")
    assert [line["error"] is None for line in results] == [True, False]
    assert 'pip install "maskcheck[video]"' in results[1]["error"]["message"]


def test_a_picture_needs_nothing_that_videos_need(portrait: Path) -> None:
    blocked = "av,scipy,matplotlib,paho,pyarrow,paho.mqtt"
    process = subprocess.run(
        [sys.executable, "-c", BLOCKED, blocked, "detect", str(portrait), "--no-detector"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("blur", [[], ["--blur", "all"]], ids=["clear", "blurred"])
def test_ctrl_c_keeps_what_is_done(tmp_path: Path, demo: Path, blur: list[str]) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "maskcheck", "detect", str(demo), "--output", str(out), "--batch-size", "1", *blur],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    part = out / "results.jsonl.part"
    wait_until(lambda: part.exists() and part.read_bytes().count(b"\n") >= 10, "ten results", 60)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    assert "stopped after" in stdout
    done = lines(out / "results.jsonl")
    assert 10 <= len(done) < 64
    summary = json.loads((out / "street.mp4.summary.json").read_text())
    assert not summary["complete"]
    assert summary["frames"] == len(done)
    if blur:
        assert not list(out.glob("*.mp4*.part"))
        assert not (out / "street.mp4").exists()
    else:
        assert len(frame_times(out / "street.mp4")) == len(done)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_goes_on_with_its_video_and_has_the_same_results(tmp_path: Path, demo: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "maskcheck", "detect", str(demo), "--output", str(out), "--resume"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = out / "results.jsonl.part"
    wait_until(lambda: part.exists() and part.read_bytes().count(b"\n") >= 10, "ten results", 60)
    process.kill()
    process.wait()
    assert not (out / "results.jsonl").exists()

    subprocess.run(command, check=True, capture_output=True, timeout=120)
    undisturbed = tmp_path / "undisturbed"
    subprocess.run([*command[:-3], "--output", str(undisturbed)], check=True, capture_output=True, timeout=120)

    def without_times(path: Path) -> list[dict[str, Any]]:
        return [{key: value for key, value in line.items() if key != "timings_ms"} for line in lines(path)]

    assert without_times(out / "results.jsonl") == without_times(undisturbed / "results.jsonl")
    assert frame_times(out / "street.mp4") == frame_times(demo)


def with_vorbis(path: Path, video: Path) -> None:
    """A copy of a video whose sound an MP4 may hold, but which is not written into one."""
    ffmpeg = shutil.which("ffmpeg") or pytest.skip("needs the program ffmpeg")
    arguments = ["-v", "error", "-i", video, "-t", "1", "-c:v", "copy", "-c:a", "libvorbis", path]
    subprocess.run([ffmpeg, *map(str, arguments)], check=True)


def test_a_copy_in_another_container_replaces_no_other_copy(
    detect: Callable[..., Result], tmp_path: Path, demo: Path
) -> None:
    (tmp_path / "videos").mkdir()
    with_vorbis(tmp_path / "videos" / "clip.mp4", demo)
    shutil.copy(demo, tmp_path / "videos" / "street.mp4")
    arguments = ["-v", "error", "-i", demo, "-t", "2", "-c:v", "copy", "-c:a", "aac", tmp_path / "videos" / "clip.mkv"]
    subprocess.run(["ffmpeg", *map(str, arguments)], check=True)

    outcome = detect("videos", "--output", "out")

    assert outcome.exit_code == 0, outcome.output
    assert len(frame_times(Path("out/clip.mkv"))) == len(frame_times(Path("videos/clip.mkv")))
    assert len(frame_times(Path("out/clip-2.mkv"))) == len(frame_times(Path("videos/clip.mp4")))
    assert "the copy is clip-2.mkv: .mp4 does not take its sound" in outcome.output
    assert "clip-2.mkv" in json.loads(Path("out/clip.mp4.summary.json").read_text())["notes"][0]


def test_a_copy_in_another_container_replaces_no_file_of_others(
    detect: Callable[..., Result], tmp_path: Path, demo: Path
) -> None:
    with_vorbis(tmp_path / "clip.mp4", demo)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "clip.mkv").write_text("somebody's only copy")

    assert detect("clip.mp4", "--output", "out").exit_code == 0

    assert Path("out/clip.mkv").read_text() == "somebody's only copy"
    assert len(frame_times(Path("out/clip-2.mkv"))) == len(frame_times(Path("clip.mp4")))
