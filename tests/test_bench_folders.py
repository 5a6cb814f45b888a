"""``maskcheck-bench folders``: what it reports of runs that are killed, and of folders with bad files."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from maskcheck_bench.commands import main
from maskcheck_bench.folders.made_folder import make_folder


def test_made_folders_are_the_same_for_a_seed_and_hold_bad_files(tmp_path: Path) -> None:
    bad = make_folder(tmp_path / "a", 60, seed=3, bad=0.1)
    make_folder(tmp_path / "b", 60, seed=3)

    first, second = (sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in "ab")
    assert len(bad) == 6
    assert [path.name for path in first] == [path.name for path in second]
    differ = [path for path, other in zip(first, second, strict=True) if path.read_bytes() != other.read_bytes()]
    assert differ == sorted(bad)


def test_the_report_compares_a_killed_run_and_a_folder_with_bad_files(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"

    done = CliRunner().invoke(
        main, ["folders", "--count", "100", "--kills", "2", "--rounds", "1", "--output", str(report_file)]
    )

    assert done.exit_code == 0, done.output
    report = json.loads(report_file.read_text())
    killed, bad = report["killed"], report["bad-files"]
    assert killed["lines"] == {"undisturbed": 100, "continued": 100}
    assert (killed["missing"], killed["twice"], killed["same_order"]) == (0, 0, True)
    assert killed["exit_status"] == {"undisturbed": 1, "continued": 1}
    assert len(killed["lines_when_killed"]) == 2
    assert (bad["bad"], bad["bad_listed"], bad["others_listed"]) == (1, 1, 0)
    assert bad["exit_status"] == {"clean": [0], "bad": [1]}


def test_workers_are_compared_on_pictures_of_the_user(examples: Path, tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["folders", "workers"])
    assert refused.exit_code == 2
    assert "give --pictures FOLDER" in refused.output

    report_file = tmp_path / "report.json"
    arguments = [
        "--pictures",
        str(examples),
        "--most",
        "3",
        "--rounds",
        "1",
        "--detector",
        "haar,fast",
        "--output",
        str(report_file),
    ]
    done = CliRunner().invoke(main, ["folders", "workers", *arguments])

    assert done.exit_code == 0, done.output
    workers = json.loads(report_file.read_text())["workers"]
    assert workers["haar,fast"]["threads"]["by_threads"] == 1.0
    assert workers["haar,fast"]["2 workers"]["cpu_ms_a_picture"] > 0
