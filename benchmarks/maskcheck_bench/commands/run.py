"""``maskcheck-bench run``: how fast classifier and pipeline are on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from maskcheck.commands.console import console
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import detector_options, session_options
from maskcheck.errors import SourceError

if TYPE_CHECKING:
    from maskcheck_bench.report import Report

Outcome = TypeVar("Outcome")


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@detector_options
@session_options
@click.option("--rounds", type=click.IntRange(1), default=20, show_default=True, help="Measured rounds in a process.")
@click.option("--warmup", type=click.IntRange(0), default=3, show_default=True, help="Rounds before, not measured.")
@click.option(
    "--processes", type=click.IntRange(1), default=3, show_default=True, help="Processes that repeat each measurement."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    pictures: tuple[str, ...],
    rounds: int,
    warmup: int,
    processes: int,
    json_file: Path | None,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Time the classifier alone, and the pipeline on PICTURES (files, folders, patterns).

    The classifier is timed on noise at several batch sizes; the pipeline from file to result, with the share of each
    stage. Each is repeated in several processes, in turns. A percentile is told only where there are rounds enough.
    """
    require_extra("bench", "psutil")

    from maskcheck.pipeline import MaskPipeline
    from maskcheck.sources import find_pictures
    from maskcheck_bench.processes import Job, run_in_turns
    from maskcheck_bench.report import make_report
    from maskcheck_bench.scenarios import SCENARIOS

    options["providers"] = list(providers) or None
    pipeline = MaskPipeline(**options)
    pipeline.warm_up()
    sources = list(find_pictures(pictures))
    files = [str(source.path) for source in sources if source.error is None]
    missing = [str(source.error) for source in sources if source.error is not None]
    if not files:
        raise SourceError("; ".join(missing), source=" ".join(pictures))
    jobs = [Job(name, options, files, rounds, warmup) for name in SCENARIOS]
    outcomes = _track(run_in_turns(jobs, processes=processes), len(jobs) * processes)
    report = make_report(pipeline, outcomes, missing)
    if json_file:
        json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    _print(report)
    ctx.exit(SOMETHING_FAILED if report.failed else SUCCESS)


def _track(outcomes: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    if not sys.stderr.isatty():
        return outcomes
    from rich.progress import track

    return track(outcomes, "Processes", total=total, console=console(stderr=True), transient=True)


def _print(report: Report) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "items", "rounds", "median ms", "min", "max", "p90", "items/s", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    figures = [one.to_dict() for one in report.timings]
    for one in figures:
        p90 = "-" if one["p90_ms"] is None else f"{one['p90_ms']['value']:.2f}"
        times = [f"{one[key]:.2f}" for key in ("median_ms", "min_ms", "max_ms")]
        table.add_row(one["name"], str(one["items"]), str(one["rounds"]), *times, p90, f"{one['items_per_second']:.1f}")
    receipt, work, out = report.receipt, report.pipeline, console()
    out.print(table)
    if work:
        stages = ", ".join(f"{stage} {share:.0%}" for stage, share in work["stage_shares"].items())
        out.print(f"pipeline: {work['faces']} faces in {work['pictures']} pictures a round; one by one: {stages}")
    out.print(
        f"{receipt['model']} ({report.precision}), {', '.join(receipt['providers'])}, {receipt['threads']} threads,"
        f" detector {receipt['detector']}; CPUs {report.machine['busy_percent_before']:.0f} % busy before"
    )
    for one in figures:
        for note in one["notes"]:
            out.print(f"[yellow]{one['name']}: {note}[/yellow]")
    for failure in report.failed:
        out.print(f"[red]failed: {escape(failure)}[/red]")
