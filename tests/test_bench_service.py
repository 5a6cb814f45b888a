"""``maskcheck-bench service`` measures, and reports what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("psutil", reason="the benchmark needs `pip install maskcheck[bench]`")

from maskcheck_bench.commands import main


def test_a_short_run(portrait: Path, masked_portrait: Path, tmp_path: Path) -> None:
    pictures, report_file = tmp_path / "pictures", tmp_path / "report.json"
    pictures.mkdir()
    for path in (portrait, masked_portrait):
        (pictures / path.name).write_bytes(path.read_bytes())
    options = [
        "--detector",
        "haar",
        "--clients",
        "4",
        "--count",
        "20",
        "--rounds",
        "1",
        "--requests",
        "50",
        "--bad",
        "0.3",
    ]

    result = CliRunner().invoke(
        main, ["service", "--pictures", str(pictures), *options, "--output", str(report_file)], catch_exceptions=False
    )

    assert result.exit_code == 0
    report = json.loads(report_file.read_text(encoding="utf-8"))
    assert all(value > 0 for value in report["throughput"]["ratios"].values())
    soak = report["soak"]
    assert sum(soak["answers"].values()) == 50
    assert soak["wrong"] == soak["server_errors"] == 0
    assert soak["answers"]["picture 200"] > 10
    assert set(soak["answers"]) > {"given up -", "slow 408"}
    assert len(soak["memory_mb"]) == 10
    assert set(soak["left"].values()) == {0.0}
    assert "0 wrong answers" in result.output
