from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from maskcheck import MaskPipeline
from maskcheck_bench.commands import main
from maskcheck_bench.commands.progress import track
from maskcheck_bench.measuring.child_process import ProcessFailed
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import LoadResult, Outcome
from maskcheck_bench.measuring.timing import Timing, join, measure, percentile
from maskcheck_bench.reporting.run_report import Report, make_report, read_report
from maskcheck_bench.reporting.run_report_files import write_run_report
from maskcheck_bench.running.scenario_process import Job, run_in_turns
from maskcheck_bench.running.suites import Suite
from maskcheck_bench.scenarios.limits.roofline import MachineLimits


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def timing(*processes: tuple[float, ...], name: str = "x", items: int = 1, group: str = "") -> Timing:
    return Timing(name, items, 0, processes, group)


def test_the_work_is_done_for_every_round_and_only_the_measured_are_kept() -> None:
    calls: list[int] = []

    measured = measure("count", lambda: calls.append(1), Effort(rounds=4, warmup=2), items=3)

    assert len(calls) == 6
    assert [len(process) for process in measured.processes] == [4]
    assert (measured.items, measured.warmup) == (3, 2)


def test_no_round_starts_after_the_time_is_over() -> None:
    calls: list[int] = []

    measured = measure("count", lambda: calls.append(1), Effort(rounds=4, warmup=3, timing_seconds=0), items=1)

    assert len(calls) == 2
    assert [len(process) for process in measured.processes] == [1]
    assert measured.warmup == 1


def test_throughput_is_items_by_the_median_round() -> None:
    report = timing((100.0, 200.0), (1000.0,), items=10).to_dict()

    assert report["median_ms"] == 200
    assert report["items_per_second"] == 50


@pytest.mark.parametrize(("share", "count", "given"), [(0.9, 30, False), (0.9, 60, True), (0.99, 300, False)])
def test_a_percentile_is_given_only_with_enough_rounds(share: float, count: int, given: bool) -> None:
    assert (percentile(np.arange(1.0, count + 1), share) is not None) == given


def test_the_interval_of_a_percentile_holds_it_in_about_95_percent_of_cases() -> None:
    rng = np.random.default_rng(0)
    truth = -np.log(0.1)  # of the exponential distribution
    intervals = [percentile(np.sort(rng.exponential(size=200)), 0.9) for _ in range(500)]

    held = np.mean([interval["low"] <= truth <= interval["high"] for interval in intervals if interval])

    assert 0.93 < held < 0.99  # ranks are whole numbers, so the interval is a little too wide


def test_processes_that_differ_much_get_a_note() -> None:
    (note,) = timing((1.0, 1.0), (1.5, 1.5)).to_dict()["notes"]

    assert "1.50 times" in note
    assert timing((1.0, 1.0), (1.05, 1.05)).to_dict()["notes"] == []


def test_work_that_is_shorter_than_the_clocks_tick_gets_a_note() -> None:
    (note,) = timing((1e-7, 1e-7)).to_dict()["notes"]

    assert "too coarse" in note


def test_timings_of_the_same_work_are_joined_in_order() -> None:
    other = timing((4.0,), name="a", group="other")
    joined = join([timing((1.0,), name="a"), timing((2.0,), name="b"), other, timing((3.0,), name="a")])

    assert [(merged.name, merged.processes) for merged in joined] == [
        ("a", ((1.0,), (3.0,))),
        ("b", ((2.0,),)),
        ("a", ((4.0,),)),
    ]


def test_run_reports_machine_receipt_and_timings(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    options = ("--model", toy_model, "--rounds", 2, "--warmup", 0, "--processes", 2, "--suite", "quick")

    result = invoke("run", portrait, *options, "--scenario", "pipeline", "--scenario", "stages", "--output", tmp_path)

    assert result.exit_code == 0
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["schema"] == "maskcheck-bench/3"
    assert content["machine"]["usable_cpus"] >= 1
    assert content["receipt"]["providers"] == ["CPUExecutionProvider"]
    assert content["facts"]["pipeline"] == {"pictures": 1, "faces": 1}
    assert [(values["group"], values["name"]) for values in content["timings"]] == [
        ("pipeline", "stream"),
        ("pipeline", "one by one"),
        ("stages", "decode"),
        ("stages", "detect"),
        ("stages", "crop"),
        ("stages", "classify"),
        ("stages", "post (result to JSON)"),
    ]
    assert all([len(process) for process in values["processes_ms"]] == [2, 2] for values in content["timings"])
    assert "one by one" in result.stdout


def test_a_picture_that_failed_is_reported(toy_model: Path, portrait: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    options = ("--model", toy_model, "--suite", "quick", "--scenario", "pipeline", "--rounds", 1)

    absent = invoke("run", portrait, tmp_path / "absent.jpg", *options)
    unreadable = invoke("run", portrait, broken, *options)

    assert absent.exit_code == unreadable.exit_code == 1
    assert "absent.jpg" in absent.stdout
    assert "broken.jpg" in unreadable.stdout


def test_an_unknown_scenario_names_the_known_ones() -> None:
    result = invoke("run", "--scenario", "everything")

    assert result.exit_code == 2
    assert "classifier under load" in result.stderr
    assert invoke("run", "--list").stdout.splitlines()[:2] == ["classifier", "pipeline"]


def test_no_picture_at_all_cannot_run(toy_model: Path, tmp_path: Path) -> None:
    result = invoke("run", tmp_path / "absent.jpg", "--model", toy_model)

    assert result.exit_code == 2
    assert "absent.jpg" in result.stderr


def test_a_process_that_fails_says_why_and_the_others_go_on_in_turns(
    toy_model: Path, portrait: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="maskcheck_bench")
    options = {"model": str(toy_model)}
    good = Job("classifier", options, (str(portrait),), Effort(rounds=1, warmup=0))
    bad = replace(good, options={**options, "detector": "nobody"})

    outcomes = [outcome for _, outcome in run_in_turns([bad, good] * 2)]

    assert [type(outcome) for outcome in outcomes] == [ProcessFailed, Outcome] * 2
    assert "no detector 'nobody'" in str(outcomes[0])
    states = [record.getMessage().partition(" after ")[0] for record in caplog.records]
    assert states == ["classifier: failed", "classifier: done"] * 2


def test_scenarios_that_can_be_compared_take_turns_in_several_processes() -> None:
    jobs = Suite(("classifier", "memory", "pipeline"), 2, Effort()).plan({}, ("a.jpg",))

    assert [job.scenario for job in jobs] == ["classifier", "memory", "pipeline", "classifier", "pipeline"]


def test_progress_is_shown_as_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abcde", "Letters", "letter", every=2)) == list("abcde")

    assert capsys.readouterr().err == "letter 2 of 5\nletter 4 of 5\n"


@pytest.fixture
def write_report(tmp_path: Path) -> Callable[..., Path]:
    """Writes a report of one timing, whose processes have the given medians."""

    def write(name: str, *medians: float, cpu: str = "one", model: str = "m", what: str = "x") -> Path:
        report = Report(
            made="2026-01-01T00:00:00+00:00",
            machine={"cpu": cpu},
            receipt={"model_sha256": model},
            effort=Effort(),
            timings=(timing(*[(median,) for median in medians], name=what), timing((1.0,), name="of one process")),
            loads=(),
            facts={},
            skipped={},
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
    (comparison,) = json.loads(result.stdout)
    assert comparison["ratio"] == pytest.approx(1.2, abs=0.001)
    assert comparison["low"] < 1.2 < comparison["high"]
    assert comparison["slower"]
    assert back.exit_code == 0
    assert "faster" in back.stdout


@pytest.mark.parametrize(
    ("medians", "options"),
    [
        ((10.0, 12.0, 14.0), ()),  # slower, but the processes differ as much
        ((10.3, 10.31, 10.29), ("--tolerance", 0.05)),  # slower beyond the noise, but not by much
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
        (other, "noise is unknown"),
        (cut, "is not a report"),
        (tmp_path / "absent.json", "absent.json"),
    ):
        result = invoke("compare", good, file)
        assert result.exit_code == 2
        assert problem in result.stderr


@pytest.fixture
def report() -> Report:
    """A report with something in each of its parts."""
    peers = [timing((4.0, 4.0), (5.0, 5.0), name="maskcheck", items=2, group="peers, batch 2")]
    peers.append(timing((8.0, 8.0), (10.0, 10.0), name="<other>", items=2, group="peers, batch 2"))
    limits = MachineLimits(1_000_000, 10_000, 5_000, "int8", 2, 100.0, 400.0, 10.0)
    alone = timing((0.02,), (0.02,), name="batch 1", group="classifier")  # 2 * 10^6 operations in 20 us: 100 * 10^9/s
    curve = [Timing("", 1, 0, ((6.0 / threads,),), "threads", threads) for threads in (1.0, 2.0)]
    return Report(
        made="2026-01-01T00:00:00+00:00",
        machine={"cpu": "A", "usable_cpus": 2, "memory_gib": 4.0, "cpu_features": ["F"], "busy_percent_before": 1.0},
        receipt={
            "model": "m.onnx",
            "precision": "int8",
            "providers": ["P"],
            "threads": 2,
            "detector": "d",
            "versions": {"numpy": "2"},
        },
        effort=Effort(),
        timings=(alone, *peers, *curve),
        loads=(LoadResult("classifier", "Server", "rate", "samples/s", None, 5, 1.0, {"50.00": 2.5}, False),),
        facts={"limits": limits.to_facts(), "memory": {"samples": {"first": 12.5}}},
        skipped={"openvino": "pip install openvino"},
        failed=("b.jpg is damaged",),
    )


def test_a_report_is_written_for_programs_and_for_people(report: Report, tmp_path: Path) -> None:
    write_run_report(report, tmp_path / "new")

    text = (tmp_path / "new" / "report.md").read_text()
    page = (tmp_path / "new" / "report.html").read_text()
    assert read_report(tmp_path / "new" / "report.json") == report
    for said in ("no rate met it", "pip install openvino", "b.jpg is damaged", "samples: first", "12.5"):
        assert said in text
        assert said in page
    assert "| &lt;other> | 2 | 2 x 2 | 9.00 | too few rounds | 222.2 | 1.25x | 2.00 |" in text
    # An intensity of 2 * 10^6 / 15,000 at 10 GB/s allows more than the peak of 400.
    assert "| batch 1 | 1 | 2 x 1 | 0.02 | too few rounds | 50000.0 | 1.00x | 25% |" in text
    assert "(roofline.png)" in text
    assert (tmp_path / "new" / "roofline.png").is_file()
    assert "data:image/png;base64," in page
    assert "<td>&lt;other&gt;</td>" in page
    assert "plotly.js v" in page  # the library itself: a page that opens without a network
    assert not re.search(r"<(script|link)[^>]+(src|href)=|<img[^>]+src=.(?!data:)", page)


def test_skipped_and_failed_scenarios_are_reported_and_the_rest_kept(toy_model: Path) -> None:
    job = Job("one", {}, (), Effort())
    pipeline = MaskPipeline(model=toy_model)
    outcomes: list[tuple[Job, Outcome | ProcessFailed]] = [
        (job, Outcome((timing((1.0,)),), {"failed": ["a.jpg"], "faces": 3})),
        (job, Outcome((timing((2.0,)),), {"failed": ["a.jpg"], "faces": 3})),
        (replace(job, scenario="two"), Outcome(skipped="pip install it")),
        (replace(job, scenario="three"), ProcessFailed("three: crashed")),
    ]

    made = make_report(pipeline, Effort(), outcomes)

    assert [merged.processes for merged in made.timings] == [((1.0,), (2.0,))]
    assert made.facts == {"one": {"faces": 3}}
    assert made.skipped == {"two": "pip install it"}
    assert made.failed == ("a.jpg", "three: crashed")
