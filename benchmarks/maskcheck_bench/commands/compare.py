"""``maskcheck-bench compare``: whether a report is slower than an earlier report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck.commands.console import console
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import json_flag

if TYPE_CHECKING:
    from maskcheck_bench.reporting.run_comparison import TimingComparison


@click.command()
@click.argument("before", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Change that does not count, as a share.",
)
@click.option("--force", is_flag=True, help="Compare reports of different machines or models all the same.")
@json_flag
@click.pass_context
def compare(ctx: click.Context, /, before: Path, after: Path, tolerance: float, force: bool, as_json: bool) -> None:
    """Compare two reports of `maskcheck-bench run`.

    Both need several processes. Exit status 1 if something in AFTER is slower than in BEFORE, by more than the
    tolerance and the noise.
    """
    require_extra("bench", "psutil", "scipy")

    from maskcheck_bench.reporting.run_comparison import check_comparable, compare_reports
    from maskcheck_bench.reporting.run_report import read_report

    first, second = read_report(before), read_report(after)
    if not force:
        check_comparable(first, second)
    comparisons = compare_reports(first, second, tolerance=tolerance)
    if as_json:
        values = [asdict(each) | {"slower": each.slower, "faster": each.faster} for each in comparisons]
        click.echo(json.dumps(values, indent=2))
    else:
        _print(comparisons)
    ctx.exit(SOMETHING_FAILED if any(each.slower for each in comparisons) else SUCCESS)


def _print(comparisons: list[TimingComparison]) -> None:
    from rich.table import Table

    table = Table("what", "before ms", "after ms", "ratio", "95 % interval", "", box=None, pad_edge=False)
    for column in table.columns[1:5]:
        column.justify = "right"
    for each in comparisons:
        verdict = "[red]slower[/red]" if each.slower else "[green]faster[/green]" if each.faster else "within the noise"
        interval = f"{each.low:.3f} to {each.high:.3f}"
        table.add_row(each.name, f"{each.before:.2f}", f"{each.after:.2f}", f"{each.ratio:.3f}", interval, verdict)
    console().print(table)
