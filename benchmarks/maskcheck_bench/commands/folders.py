"""``maskcheck-bench folders``: large folders."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra
from maskcheck_bench.commands.arguments import find_pictures, read_detector

_PARTS = ("killed", "bad-files", "workers")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option("--count", type=click.IntRange(100), default=20_000, show_default=True, help="Pictures that are made.")
@click.option("--kills", type=click.IntRange(1), default=10, show_default=True, help="How often a run is killed.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of what is compared.")
@click.option("--seed", type=int, default=15, show_default=True, help="Of the pictures and the moments.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of pictures for the part `workers`, which compares on real ones.",
)
@click.option(
    "--detector",
    "detectors",
    metavar="NAME[,PRESET]",
    multiple=True,
    default=("haar", "centerface,fast"),
    show_default=True,
    help="Of the part `workers`; repeat.",
)
@click.option("--most", type=click.IntRange(2), default=500, show_default=True, help="Of these pictures, the first.")
def folders(
    parts: tuple[str, ...],
    output: Path | None,
    count: int,
    kills: int,
    rounds: int,
    seed: int,
    pictures: Path | None,
    detectors: tuple[str, ...],
    most: int,
) -> None:
    """Measure runs over large folders; by default, all parts.

    PARTS: `killed` kills a run at random moments and continues it, and compares its lines with those of a run that
    nobody disturbs; `bad-files` compares a folder of which a hundredth are no pictures with a clean one; `workers`
    compares worker processes with threads.
    """
    require_extra("bench")
    from maskcheck_bench.folders.bad_files import measure_bad_files
    from maskcheck_bench.folders.killed_runs import measure_killed_runs
    from maskcheck_bench.folders.worker_turns import measure_workers

    report = {}
    wanted = parts or _PARTS
    if "workers" in wanted and pictures is None:
        if parts:
            raise click.UsageError("workers needs pictures with faces: give --pictures FOLDER")
        wanted = _PARTS[:2]
    if "killed" in wanted:
        report["killed"] = measure_killed_runs(count, kills, seed, ())
    if "bad-files" in wanted:
        report["bad-files"] = measure_bad_files(count, rounds, seed, ())
    if "workers" in wanted and pictures is not None:
        named = {each: read_detector(each) for each in detectors}
        report["workers"] = measure_workers(find_pictures(pictures)[:most], named, rounds)
    text = json.dumps(report, indent=2)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
    console().print_json(text)
