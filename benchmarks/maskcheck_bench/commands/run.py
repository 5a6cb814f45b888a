"""``maskcheck-bench run``: speed of the classifier and of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from maskcheck.commands.console import console
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import detector_options, session_options
from maskcheck.errors import SourceError
from maskcheck_bench.commands.progress import track

if TYPE_CHECKING:
    from maskcheck_bench.reporting.run_report import Report

_EFFORT = ("rounds", "warmup", "seconds", "face_target_ms", "picture_target_ms")
_EXAMPLES = "examples"

_Command: TypeAlias = Callable[..., Any]


def _suite_option(name: str, kind: Any, text: str) -> Callable[[_Command], _Command]:
    return click.option(name, type=kind, help=f"{text}  [default: the suite's]")


@click.command()
@click.argument("pictures", nargs=-1)
@click.option(
    "--suite",
    "suite_name",
    type=click.Choice(["quick", "default", "full"]),
    default="default",
    show_default=True,
    help="A smoke test, all scenarios within ten minutes, or all scenarios for an hour.",
)
@click.option("--scenario", "scenarios", multiple=True, metavar="NAME", help="Run this scenario only; repeatable.")
@click.option("--list", "list_only", is_flag=True, help="List the names of all scenarios and exit.")
@detector_options
@session_options
@_suite_option("--rounds", click.IntRange(1), "Measured rounds in each process.")
@_suite_option("--warmup", click.IntRange(0), "Rounds before them, which are not measured.")
@_suite_option("--processes", click.IntRange(1), "Processes for each scenario that `compare` can compare.")
@_suite_option("--seconds", click.FloatRange(0.1), "Shortest duration of each MLPerf scenario.")
@_suite_option("--face-target-ms", click.FloatRange(0.1), "MLPerf's server: latency that 99 % of the faces must meet.")
@_suite_option("--picture-target-ms", click.FloatRange(0.1), "The same for pictures.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.json, report.md and report.html.",
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    pictures: tuple[str, ...],
    suite_name: str,
    scenarios: tuple[str, ...],
    list_only: bool,
    processes: int | None,
    output: Path | None,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure speed: of the classifier and the pipeline.

    PICTURES are files, folders and patterns; the default is the folder examples.

    Each scenario runs in its own process, or in several that take turns, so that reports can be compared. A percentile
    is shown only if there are enough rounds for it. Exit status 1 if something failed.
    """
    require_extra("bench", "jinja2", "plotly", "psutil", "scipy")

    from maskcheck.pipeline import MaskPipeline
    from maskcheck.sources import find_sources
    from maskcheck_bench.reporting.run_report import make_report
    from maskcheck_bench.reporting.run_report_files import write_run_report
    from maskcheck_bench.running.scenario_process import run_in_turns
    from maskcheck_bench.running.suites import SUITES
    from maskcheck_bench.scenarios.catalogue import SCENARIOS

    if list_only:
        for name in SCENARIOS:
            click.echo(name)
        return
    unknown = [name for name in scenarios if name not in SCENARIOS]
    if unknown:
        raise click.BadParameter(f"expected one of {', '.join(SCENARIOS)}; got {unknown[0]!r}", param_hint="--scenario")
    suite = SUITES[suite_name]
    given = {name: options.pop(name) for name in _EFFORT}
    effort = replace(suite.effort, **{name: value for name, value in given.items() if value is not None})
    if given["rounds"] is not None:
        effort = replace(effort, timing_seconds=None)  # all rounds that were asked for
    suite = replace(
        suite,
        scenarios=scenarios or suite.scenarios,
        processes=processes or suite.processes,
        effort=effort,
    )
    options["providers"] = list(providers) or None
    pipeline = MaskPipeline(**options)
    pipeline.warm_up()
    sources = list(find_sources(pictures or (_EXAMPLES,), kinds=["picture"]))
    files = [str(source.path.resolve()) for source in sources if source.error is None]
    missing = [str(source.error) for source in sources if source.error is not None]
    if not files:
        raise SourceError("; ".join(missing), source=" ".join(pictures or (_EXAMPLES,)))
    outcomes = run_in_turns(track(suite.plan(options, files), "Processes", "process", every=10))
    report = make_report(pipeline, suite.effort, outcomes, missing)
    if output:
        write_run_report(report, output)
    _print(report, output)
    ctx.exit(SOMETHING_FAILED if report.failed else SUCCESS)


def _print(report: Report, output: Path | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "items", "rounds", "median ms", "min", "max", "p90", "items/s", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    timings = [timing.to_dict() for timing in report.timings]
    for timing in timings:
        p90 = "-" if timing["p90_ms"] is None else f"{timing['p90_ms']['value']:.2f}"
        times = [f"{timing[key]:.2f}" for key in ("median_ms", "min_ms", "max_ms")]
        x = "" if timing["x"] is None else f" {timing['x']:g}"
        counts = (str(timing["items"]), str(timing["rounds"]))
        table.add_row(
            f"{timing['group']}: {timing['name']}{x}", *counts, *times, p90, f"{timing['items_per_second']:.1f}"
        )
    receipt, out = report.receipt, console()
    out.print(table)
    for load in report.loads:
        out.print(f"{load.subject}, {load.scenario}: {load.metric}: {load.value_text} ({load.queries} queries)")
    out.print(
        f"{receipt['model']} ({receipt['precision']}), {', '.join(receipt['providers'])}, {receipt['threads']} threads,"
        f" detector {receipt['detector']}; CPUs {report.machine['busy_percent_before']:.0f} % busy before"
        + (f"; report in {output}" if output else "")
    )
    for timing in timings:
        for note in timing["notes"]:
            out.print(f"[yellow]{timing['group']}: {timing['name']}: {note}[/yellow]")
    for scenario, reason in report.skipped.items():
        out.print(f"[yellow]skipped: {scenario}: {escape(reason)}[/yellow]")
    for failure in report.failed:
        out.print(f"[red]failed: {escape(failure)}[/red]")
