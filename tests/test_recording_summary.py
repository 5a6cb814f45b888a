"""The summary of a video, and its chart."""

from __future__ import annotations

import io
import json
import math
import sys
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError
from PIL import Image

from maskcheck import Face, FrameResult, ImageError
from maskcheck.commands import main
from maskcheck.errors import PackageNotInstalled
from maskcheck.recording import VideoSummary, draw_chart
from maskcheck.recording.clock import clock
from maskcheck.sources.reader import VideoInfo

MASK, BARE = "with_mask", "without_mask"
INFO = VideoInfo((640, 480), frame_rate=25.0, frame_count=100, duration=4.0, codec="h264", has_audio=True)


def face(track_id: int | None, label: str, confidence: float = 0.9) -> Face:
    return Face((0, 0, 9, 9), label, confidence, {label: confidence}, 0.8, track_id=track_id)


def result(frame: int, *faces: Face, rate: float = 25.0, start: float = 0.0, **fields: Any) -> FrameResult:
    return FrameResult(faces, (640, 480), source="a.mp4", frame=frame, time=start + frame / rate, **fields)


def summed(results: Iterable[FrameResult], info: VideoInfo | None = INFO, **options: Any) -> dict[str, Any]:
    summary = VideoSummary("a.mp4", info, **options)
    for each in results:
        summary.add(each)
    content = summary.to_dict()
    validator().validate(json.loads(json.dumps(content, allow_nan=False)))
    return content


def validator() -> Draft202012Validator:
    printed = CliRunner().invoke(main, ["schema", "summary"], catch_exceptions=False)
    assert printed.exit_code == 0
    content = json.loads(printed.stdout)
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


def test_people_are_counted_once_and_by_their_last_label() -> None:
    content = summed(
        result(frame, face(1, MASK), *([face(2, MASK if frame < 50 else BARE)] if frame >= 25 else []))
        for frame in range(100)
    )

    assert content["people"] == {"total": 2, "by_label": {MASK: 1, BARE: 1}}
    assert content["faces"] == {"total": 175, "by_label": {MASK: 125, BARE: 50}}
    assert (content["frames"], content["first_time"], content["last_time"]) == (100, 0.0, 3.96)
    assert content["busiest"] == {"time": 1.0, "frame": 25, "people": 2, "by_label": {MASK: 2}}


def test_a_track_tells_when_it_was_seen_and_how_long_with_which_label() -> None:
    _, second = summed(
        result(
            frame, face(1, MASK), *([face(2, MASK if frame < 50 else BARE, 0.5 + frame / 200)] if frame >= 25 else [])
        )
        for frame in range(100)
    )["tracks"]

    assert second == {
        "track_id": 2,
        "first_seen": 1.0,
        "last_seen": 3.96,
        "label": BARE,
        "label_changes": 1,
        "best_confidence": 0.995,
        "seconds": 3.0,
        "seconds_without_mask": 2.0,
        "shares": {MASK: pytest.approx(1 / 3, abs=1e-4), BARE: pytest.approx(2 / 3, abs=1e-4)},
    }


def test_time_is_counted_by_the_clock_and_not_by_frames() -> None:
    times = [0.0, 0.1, 0.5, 0.6, 1.0]  # of a variable frame rate
    (track,) = summed(
        FrameResult((face(1, BARE if index in (1, 3) else MASK),), (9, 9), frame=index, time=time)
        for index, time in enumerate(times)
    )["tracks"]

    assert track["seconds_without_mask"] == pytest.approx(0.8)


def test_a_gap_in_the_frames_is_nobodys_time() -> None:
    content = summed(
        result(frame, face(1, MASK))
        for frame in [*range(100), *range(1100, 1200)]  # a camera was away for 40 s
    )

    (track,) = content["tracks"]
    assert track["seconds"] == pytest.approx(9.0, abs=0.1)  # with one second of patience
    buckets = content["timeline"]["buckets"]
    assert sum(bucket["seconds"] == 0 for bucket in buckets) == pytest.approx(390, abs=2)


def test_faces_below_the_confidence_asked_for_are_unsure() -> None:
    content = summed([result(0, face(1, MASK, 0.4), face(2, BARE))], min_confidence=0.5)

    assert content["people"]["by_label"] == {BARE: 1, "unsure": 1}


def test_without_a_tracker_nothing_is_said_of_people() -> None:
    content = summed([result(0, face(None, MASK))])

    assert content["people"] is None
    assert content["faces"] == {"total": 1, "by_label": {MASK: 1}}
    assert content["busiest"]["people"] == 1


def test_errors_are_counted_and_the_first_are_told() -> None:
    content = summed([result(0), *(result(frame, error=ImageError(f"bad {frame}")) for frame in range(1, 60))])

    assert content["errors"]["count"] == 59
    assert len(content["errors"]["first"]) == 20
    assert content["errors"]["first"][0] == {"frame": 1, "time": 0.04, "type": "ImageError", "message": "bad 1"}
    assert content["frames"] == 1


@pytest.mark.parametrize("info", [None, VideoInfo((0, 0)), INFO])
def test_nothing_is_a_summary_too(info: VideoInfo | None, tmp_path: Path) -> None:
    content = summed([], info)

    assert content["people"] == {"total": 0, "by_label": {}}
    assert content["busiest"] is None
    assert content["timeline"]["buckets"] == []
    draw_chart(content, tmp_path / "chart.png")
    assert pixels(tmp_path / "chart.png").shape == (450, 1200, 3)


def test_results_may_be_added_after_it_was_asked() -> None:
    asked = VideoSummary("a.mp4", INFO)
    for frame in range(100):
        asked.add(result(frame, face(1, MASK)))
        asked.to_dict(complete=False)

    assert asked.to_dict() == summed(result(frame, face(1, MASK)) for frame in range(100))
    assert asked.to_dict(complete=False)["complete"] is False


def test_the_timeline_holds_means_and_maxima() -> None:
    content = summed(
        result(frame, *[face(track, MASK) for track in range(2 if frame % 5 else 6)], rate=50.0) for frame in range(100)
    )

    timeline = content["timeline"]
    assert timeline["bucket_seconds"] == 0.1
    assert len(timeline["buckets"]) == 20
    assert timeline["buckets"][0] == {
        "time": 0.0,
        "seconds": pytest.approx(0.1),
        "mean": {MASK: pytest.approx((6 + 4 * 2) / 5)},
        "max": {MASK: 6},
        "max_people": 6,
    }


@pytest.mark.parametrize("seconds", [61, 3_600, 50_000])
def test_the_timeline_of_a_long_video_is_coarser_but_complete(seconds: int) -> None:
    content = summed(
        (result(frame, face(frame // 1000, MASK), rate=1.0, start=5.0) for frame in range(seconds)), max_tracks=10
    )

    buckets = content["timeline"]["buckets"]
    assert 300 <= len(buckets) <= 600
    assert sum(bucket["seconds"] for bucket in buckets) == pytest.approx(seconds)
    assert all(bucket["mean"] == {MASK: 1.0} for bucket in buckets)
    assert buckets[0]["time"] == 5.0


def test_memory_is_bounded_however_long_the_stream_and_however_many_the_people() -> None:
    summary = VideoSummary("camera", min_confidence=0.0, max_tracks=100)

    def watch(first: int, last: int) -> None:
        for frame in range(first, last):
            summary.add(result(frame, face(frame // 10, MASK if frame % 20 < 10 else BARE), rate=2.0))

    watch(0, 5_000)
    tracemalloc.start()
    watch(5_000, 20_000)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    content = summary.to_dict()
    assert content["people"]["total"] == 2_000
    assert content["people"]["by_label"] == {MASK: 1_000, BARE: 1_000}
    assert len(content["tracks"]) == 100
    assert content["tracks_left_out"] == 1_900
    assert content["tracks"][-1]["track_id"] == 1_999
    assert grown < 300_000  # bytes; what is freed was made before the count began


def test_a_clock_that_goes_back_does_no_harm() -> None:
    times = [10.0, 10.1, 3.0, 3.1, 10.2]

    content = summed(FrameResult((face(1, MASK),), (9, 9), frame=index, time=time) for index, time in enumerate(times))

    assert (content["first_time"], content["last_time"]) == (10.0, 10.2)
    assert content["tracks"][0]["seconds"] == pytest.approx(0.3, abs=0.2)


def test_the_schema_refuses_other_json() -> None:
    content = summed([result(0, face(1, MASK))])
    schema = validator()

    for key in content:
        with pytest.raises(ValidationError):
            schema.validate({name: value for name, value in content.items() if name != key})
    with pytest.raises(ValidationError):
        schema.validate(content | {"schema": "maskcheck-summary/2"})
    schema.validate(content | {"camera": "door"})


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def share(path: Path, colour: tuple[int, int, int]) -> float:
    return float((pixels(path) == colour).all(2).mean())


GREEN, VERMILION, GREY = (0, 158, 115), (213, 94, 0), (239, 239, 239)


def test_the_chart_shows_each_label_in_the_colour_of_its_boxes(tmp_path: Path) -> None:
    content = summed(result(frame, face(1, MASK), *([face(2, BARE)] if frame < 50 else [])) for frame in range(100))

    draw_chart(content, tmp_path / "chart.png")

    assert 0.25 < share(tmp_path / "chart.png", GREEN) < 0.45
    assert 0.12 < share(tmp_path / "chart.png", VERMILION) < 0.25
    assert share(tmp_path / "chart.png", GREY) < 0.001


def test_the_chart_marks_where_nobody_is_there(tmp_path: Path) -> None:
    draw_chart(
        summed(result(frame, *([face(1, MASK)] if frame < 50 else [])) for frame in range(100)), tmp_path / "a.png"
    )

    assert 0.2 < share(tmp_path / "a.png", GREY) < 0.45
    assert 0.2 < share(tmp_path / "a.png", GREEN) < 0.45


@pytest.mark.parametrize(
    "name", ["口罩.mp4", "$x^2$ \\frac.mp4", "a\nb\x1b[31m.mp4", "x" * 300, "rtsp://camera/1", "\udce9.mp4"]
)
def test_any_name_can_stand_above_the_chart(tmp_path: Path, name: str) -> None:
    summary = VideoSummary(name)
    summary.add(result(0, face(1, "étiquette $y$")))

    draw_chart(summary.to_dict(), tmp_path / "chart.png")

    assert pixels(tmp_path / "chart.png").shape == (450, 1200, 3)


@pytest.mark.parametrize("seconds", [0.04, 0.5, 3.0, 75.0, 3_700.0, 90_000.0])
def test_a_video_of_any_length_has_a_chart(tmp_path: Path, seconds: float) -> None:
    count = min(100, math.ceil(seconds * 25))

    draw_chart(summed(result(frame, face(1, MASK), rate=count / seconds) for frame in range(count)), tmp_path / "a.png")

    assert share(tmp_path / "a.png", GREEN) > 0.4


def test_a_chart_can_be_drawn_into_memory() -> None:
    file = io.BytesIO()

    draw_chart(summed([]), file)

    assert file.getvalue().startswith(b"\x89PNG")


def test_drawing_a_chart_does_not_touch_the_state_of_matplotlib(tmp_path: Path) -> None:
    draw_chart(summed([]), tmp_path / "chart.png")

    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_without_matplotlib_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(PackageNotInstalled, match=r'pip install "maskcheck\[video\]"'):
        draw_chart(summed([]), tmp_path / "chart.png")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (7.4, "0:07"),
        (59.6, "1:00"),
        (754, "12:34"),
        (3_599.7, "1:00:00"),
        (3_723, "1:02:03"),
        (-1, "0:00"),
    ],
)
def test_times_are_told_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_tenths_of_seconds_are_told_where_they_matter() -> None:
    assert [clock(seconds, tenths=True) for seconds in (0.5, 59.96, 3_661.5)] == ["0:00.5", "1:00.0", "1:01:01.5"]
