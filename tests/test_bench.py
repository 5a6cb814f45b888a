from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from maskcheck_bench.commands import main
from maskcheck_bench.processes import Job, ProcessFailed, run_in_turns
from maskcheck_bench.report import Report
from maskcheck_bench.scenarios import Outcome
from maskcheck_bench.timing import Timing, join, measure, percentile


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def timing(*processes: tuple[float, ...], name: str = "x", items: int = 1) -> Timing:
    return Timing(name, items, 0, processes)


def test_the_work_is_done_for_every_round_and_only_the_measured_are_kept() -> None:
    calls: list[int] = []

    measured = measure("count", lambda: calls.append(1), items=3, rounds=4, warmup=2)

    assert len(calls) == 6
    assert [len(process) for process in measured.processes] == [4]
    assert (measured.items, measured.warmup) == (3, 2)


def test_throughput_is_items_by_the_median_round() -> None:
    report = timing((100.0, 200.0), (1000.0,), items=10).to_dict()

    assert report["median_ms"] == 200
    assert report["items_per_second"] == 50


@pytest.mark.parametrize(("share", "count", "told"), [(0.9, 30, False), (0.9, 60, True), (0.99, 300, False)])
def test_a_percentile_is_told_only_where_there_are_rounds_enough(share: float, count: int, told: bool) -> None:
    assert (percentile(np.arange(1.0, count + 1), share) is not None) == told


def test_the_interval_of_a_percentile_holds_it_about_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    truth = -np.log(0.1)  # of the exponential distribution
    intervals = [percentile(np.sort(rng.exponential(size=200)), 0.9) for _ in range(500)]

    held = np.mean([one["low"] <= truth <= one["high"] for one in intervals if one])

    assert 0.93 < held < 0.99  # ranks are whole, so that it is rather too wide than too narrow


def test_processes_that_differ_much_are_said_to_have_been_disturbed() -> None:
    (note,) = timing((1.0, 1.0), (1.5, 1.5)).to_dict()["notes"]

    assert "1.50 times" in note
    assert timing((1.0, 1.0), (1.05, 1.05)).to_dict()["notes"] == []


def test_work_that_is_shorter_than_the_clocks_tick_is_said() -> None:
    (note,) = timing((1e-7, 1e-7)).to_dict()["notes"]

    assert "too coarse" in note


def test_timings_of_one_name_are_joined_in_the_order_of_the_names() -> None:
    joined = join([timing((1.0,), name="a"), timing((2.0,), name="b"), timing((3.0,), name="a")])

    assert [(one.name, one.processes) for one in joined] == [("a", ((1.0,), (3.0,))), ("b", ((2.0,),))]


def test_run_reports_machine_receipt_and_timings(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ("--model", toy_model, "--rounds", 2, "--warmup", 0, "--processes", 2)

    result = invoke("run", portrait, *options, "--json", report)

    assert result.exit_code == 0
    content = json.loads(report.read_text())
    assert content["schema"] == "maskcheck-bench/2"
    assert content["machine"]["usable_cpus"] >= 1
    assert content["receipt"]["providers"] == ["CPUExecutionProvider"]
    assert content["pipeline"]["faces"] == 1
    assert sum(content["pipeline"]["stage_shares"].values()) == pytest.approx(1, abs=0.01)
    assert [one["name"] for one in content["timings"]] == [
        "classifier, batch 1",
        "classifier, batch 8",
        "classifier, batch 32",
        "pipeline, stream",
        "pipeline, one by one",
    ]
    assert all([len(process) for process in one["processes_ms"]] == [2, 2] for one in content["timings"])
    assert "pipeline, one by one" in result.stdout


def test_a_picture_that_failed_is_reported(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    result = invoke("run", portrait, tmp_path / "absent.jpg", "--model", toy_model, "--rounds", 1, "--processes", 1)

    assert result.exit_code == 1
    assert "absent.jpg" in result.stdout


def test_no_picture_at_all_cannot_run(toy_model: Path, tmp_path: Path) -> None:
    result = invoke("run", tmp_path / "absent.jpg", "--model", toy_model)

    assert result.exit_code == 2
    assert "absent.jpg" in result.stderr


def test_a_process_that_fails_says_why_and_the_others_go_on_in_turns(toy_model: Path, portrait: Path) -> None:
    options = {"model": str(toy_model)}
    good = Job("classifier", options, (str(portrait),), rounds=1, warmup=0)
    bad = replace(good, options={**options, "detector": "nobody"})

    outcomes = [outcome for _, outcome in run_in_turns([bad, good], processes=2)]

    assert [type(one) for one in outcomes] == [ProcessFailed, Outcome] * 2
    assert "no detector 'nobody'" in str(outcomes[0])


@pytest.fixture
def write_report(tmp_path: Path) -> Callable[..., Path]:
    """Writes a report of one timing, whose processes have the given medians."""

    def write(name: str, *medians: float, cpu: str = "one", model: str = "m", what: str = "x") -> Path:
        report = Report(
            machine={"cpu": cpu},
            receipt={"model_sha256": model},
            precision="int8",
            pipeline={},
            timings=(timing(*[(median,) for median in medians], name=what),),
            failed=(),
        )
        path = tmp_path / name
        path.write_text(json.dumps(report.to_dict()))
        return path

    return write


def test_a_report_that_is_slower_beyond_the_noise_is_a_failure(write_report: Callable[..., Path]) -> None:
    before = write_report("a.json", 10.0, 10.1, 9.9, 10.0)
    slower = write_report("b.json", 12.0, 12.1, 11.9, 12.0)

    result = invoke("compare", before, slower, "--json")
    back = invoke("compare", slower, before)

    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    assert found["ratio"] == pytest.approx(1.2, abs=0.001)
    assert found["low"] < 1.2 < found["high"]
    assert found["slower"]
    assert back.exit_code == 0
    assert "faster" in back.stdout


@pytest.mark.parametrize(
    ("medians", "options"),
    [
        ((10.0, 12.0, 14.0), ()),  # slower, but the processes differ as much
        ((10.3, 10.31, 10.29), ("--tolerance", 0.05)),  # surely slower, but not by much
        ((10.0, 10.1, 9.9), ()),
    ],
)
def test_a_difference_within_noise_or_tolerance_is_none(
    write_report: Callable[..., Path], medians: tuple[float, ...], options: tuple[object, ...]
) -> None:
    result = invoke("compare", write_report("a.json", 10.0, 10.1, 9.9), write_report("b.json", *medians), *options)

    assert result.exit_code == 0
    assert "within the noise" in result.stdout


@pytest.mark.parametrize("other", [{"cpu": "another"}, {"model": "n"}])
def test_reports_of_different_machines_or_models_are_compared_only_by_force(
    write_report: Callable[..., Path], other: dict[str, str]
) -> None:
    before, after = write_report("a.json", 10.0, 10.1), write_report("b.json", 10.0, 10.1, **other)

    refused = invoke("compare", before, after)

    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert repr(*other.values()) in refused.stderr
    assert invoke("compare", before, after, "--force").exit_code == 0


def test_reports_that_cannot_be_compared_are_refused(write_report: Callable[..., Path], tmp_path: Path) -> None:
    good, single = write_report("a.json", 10.0, 10.1), write_report("b.json", 10.0)
    foreign, other, cut = tmp_path / "foreign.json", write_report("d.json", 1.0, 2.0, what="y"), tmp_path / "cut.json"
    foreign.write_text('{"schema": "maskcheck-bench/1"}')
    cut.write_text(good.read_text()[:-20])

    for file, problem in (
        (single, "--processes"),
        (foreign, "'maskcheck-bench/1'"),
        (other, "nothing in common"),
        (cut, "is no report"),
        (tmp_path / "absent.json", "absent.json"),
    ):
        result = invoke("compare", good, file)
        assert result.exit_code == 2
        assert problem in result.stderr
