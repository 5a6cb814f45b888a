"""``maskcheck-bench video``: a video of faces is worked on in all ways, and a stream leaves nothing in memory."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner

from make_video import make_scene, write
from maskcheck_bench.commands import main
from maskcheck_bench.video.long_stream import follow_stream

pytest.importorskip("av")
pytest.importorskip("scipy")
pytest.importorskip("matplotlib")


def test_all_ways_give_each_frame_a_result_and_their_parts_have_a_cost(tmp_path: Path) -> None:
    video, report_file = tmp_path / "people.mp4", tmp_path / "report.json"
    write(make_scene("masks", seed=3, fps=10, seconds=1.2, size=(320, 180)), video)
    arguments = ["--detector", "haar,fast", "--rounds", "1", "--loop-frames", "5", "--output", str(report_file)]

    done = CliRunner().invoke(main, ["video", str(video), "--part", "speed", "--part", "costs", *arguments])

    assert done.exit_code == 0, done.output
    report = json.loads(report_file.read_text())
    ways = report["speed"]["haar,fast"]["ways"]
    assert {name: way["frames"] for name, way in ways.items()} == {
        "track": 12,
        "detect --json": 12,
        "detect --json --output": 12,
        "every frame": 5,
        "every frame, cv2.VideoCapture": 5,
    }
    assert ways["every frame"]["times_as_fast"]["median"] == 1
    assert all(way["frames_a_second"]["median"] > 0 and way["cpu_ms_a_frame"]["median"] > 0 for way in ways.values())
    costs = report["costs"]["haar,fast"]["cpu_ms_a_frame"]
    assert all(cost >= 0 for cost in costs.values())
    assert costs["detect"] > costs["sum up"]
    assert "haar,fast" in done.output


def test_a_longer_stream_takes_no_more_memory(tmp_path: Path) -> None:
    """What Python holds after 1,500 and after 6,000 frames differs by no more than people and buckets are worth."""
    held: list[int] = []

    def look() -> None:
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        told = follow_stream(6000, tmp_path, 1500, look)
    finally:
        tracemalloc.stop()

    assert told["frames"] == 6000
    assert told["people"] == pytest.approx(6000 / 25 / 20 * 3, abs=4)
    assert told["events"] > 2 * told["people"]
    assert max(held) - held[0] < 500_000  # 0.1 kB a frame would be seen


def test_memory_needs_no_video_and_speed_does(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    done = CliRunner().invoke(main, ["video", "--stream-frames", "300", "--output", str(report_file)])
    refused = CliRunner().invoke(main, ["video", "--part", "speed"])

    assert done.exit_code == 0, done.output
    memory = json.loads(report_file.read_text())["memory"]
    assert len(memory["megabytes"]) == 60
    assert memory["minutes"] == 0.2
    assert "memory over 0 minutes" in done.output
    assert refused.exit_code == 2
    assert "give VIDEO" in refused.output
