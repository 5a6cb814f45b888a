from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskcheck_bench.commands import main
from maskcheck_bench.timing import Timing, measure


def test_the_work_is_done_for_every_round_and_only_the_measured_are_kept() -> None:
    calls: list[int] = []

    timing = measure("count", lambda: calls.append(1), items=3, rounds=4, warmup=2)

    assert len(calls) == 6
    assert len(timing.milliseconds) == 4
    assert (timing.items, timing.warmup) == (3, 2)


def test_throughput_is_items_by_the_median_round() -> None:
    report = Timing("x", 10, 0, (100.0, 200.0, 1000.0)).to_dict()

    assert report["median_ms"] == 200
    assert report["items_per_second"] == 50


@pytest.mark.parametrize(("rounds", "told"), [(49, False), (50, True)])
def test_a_percentile_is_told_only_where_there_are_rounds_enough(rounds: int, told: bool) -> None:
    report = Timing("x", 1, 0, tuple(float(i) for i in range(1, rounds + 1))).to_dict()

    assert (report["p90_ms"] is not None) == told


def test_run_reports_machine_receipt_and_timings(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ["run", str(portrait), "--model", str(toy_model), "--rounds", "2", "--warmup", "0"]

    result = CliRunner().invoke(main, [*arguments, "--json", str(report)], catch_exceptions=False)

    assert result.exit_code == 0
    content = json.loads(report.read_text())
    assert content["schema"] == "maskcheck-bench/1"
    assert content["machine"]["usable_cpus"] >= 1
    assert content["receipt"]["providers"] == ["CPUExecutionProvider"]
    assert content["pipeline"]["faces"] == 1
    assert sum(content["pipeline"]["stage_shares"].values()) == pytest.approx(1, abs=0.01)
    assert [one["name"] for one in content["timings"]] == [
        "classifier, batch 1",
        "classifier, batch 8",
        "classifier, batch 32",
        "pipeline, all pictures",
    ]
    assert "pipeline, all pictures" in result.stdout


def test_a_picture_that_failed_is_reported(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    arguments = ["run", str(portrait), str(tmp_path / "absent.jpg"), "--model", str(toy_model), "--rounds", "1"]

    result = CliRunner().invoke(main, arguments, catch_exceptions=False)

    assert result.exit_code == 1
    assert "absent.jpg" in result.stdout


def test_no_picture_at_all_cannot_run(toy_model: Path, tmp_path: Path) -> None:
    arguments = ["run", str(tmp_path / "absent.jpg"), "--model", str(toy_model)]

    result = CliRunner().invoke(main, arguments, catch_exceptions=False)

    assert result.exit_code == 2
    assert "absent.jpg" in result.stderr
