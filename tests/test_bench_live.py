"""``maskcheck-bench live``: a whole measurement, with short outages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskcheck_bench.commands import main
from maskcheck_bench.live import live_measurement

pytest.importorskip("av")


def test_it_measures_outages_delays_and_what_is_left(
    tmp_path: Path, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_measurement, "_STEADY", 0.1)
    path = tmp_path / "live.json"
    short = ["--outages", "1", "--cut", "0.3", "--cuts", "2", "--frames", "10", "--picture", str(portrait)]

    result = CliRunner().invoke(main, ["live", *short, "--detector", "haar", "--output", str(path)])

    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert report["frame_delay_ms"]["count"] == report["result_delay_ms"]["count"] == 10
    assert 0 < report["frame_delay_ms"]["p50"] < 5000
    assert report["back_after_seconds"]["killed"]["count"] == 1
    assert report["left_behind"]["cuts"] == 2
    assert "delay of a frame" in result.output
