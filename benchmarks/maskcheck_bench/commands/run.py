"""``maskcheck-bench run``: how fast classifier and pipeline are on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import detector_options, session_options
from maskcheck.errors import MaskCheckError


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@detector_options
@session_options
@click.option("--rounds", type=click.IntRange(1), default=50, show_default=True, help="Measured rounds of each.")
@click.option("--warmup", type=click.IntRange(0), default=3, show_default=True, help="Rounds before, not measured.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    pictures: tuple[str, ...],
    rounds: int,
    warmup: int,
    json_file: Path | None,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Time the classifier alone, and the pipeline on PICTURES (files, folders, patterns).

    The classifier is timed on noise at several batch sizes; the pipeline from file to result, with the share of each
    stage. A percentile is told only where there are rounds enough for it.
    """
    require_extra("bench", "psutil")

    from maskcheck.pipeline import MaskPipeline
    from maskcheck.sources import find_pictures
    from maskcheck_bench.machine import describe_machine
    from maskcheck_bench.scenarios import classifier_timings, pipeline_timing

    machine = describe_machine()
    pipeline = MaskPipeline(providers=providers or None, **options)
    sources = list(find_pictures(pictures))
    files = [source.path for source in sources if source.error is None]
    if not files:
        raise MaskCheckError("; ".join(str(source.error) for source in sources))
    timings = list(classifier_timings(pipeline.classifier, rounds=rounds, warmup=warmup))
    timing, work = pipeline_timing(pipeline, files, rounds=rounds, warmup=warmup)
    work["failed"] += [str(source.error) for source in sources if source.error is not None]
    report = {
        "schema": "maskcheck-bench/1",
        "machine": machine,
        "receipt": pipeline.receipt.to_dict(),
        "precision": pipeline.classifier.info.precision,
        "pipeline": work,
        "timings": [one.to_dict() for one in (*timings, timing)],
    }
    if json_file:
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)
    ctx.exit(SOMETHING_FAILED if work["failed"] else SUCCESS)


def _print(report: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("what", "items", "rounds", "median ms", "min", "max", "p90", "items/s", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in report["timings"]:
        p90 = "-" if one["p90_ms"] is None else f"{one['p90_ms']:.2f}"
        figures = [f"{one[key]:.2f}" for key in ("median_ms", "min_ms", "max_ms")]
        table.add_row(
            one["name"], str(one["items"]), str(one["rounds"]), *figures, p90, f"{one['items_per_second']:.1f}"
        )
    receipt, work, out = report["receipt"], report["pipeline"], console()
    out.print(table)
    stages = ", ".join(f"{stage} {share:.0%}" for stage, share in work["stage_shares"].items())
    out.print(f"pipeline: {work['faces']} faces in {work['pictures']} pictures a round; {stages}")
    out.print(
        f"{receipt['model']} ({report['precision']}), {', '.join(receipt['providers'])}, {receipt['threads']} threads,"
        f" detector {receipt['detector']}; CPUs {report['machine']['busy_percent_before']:.0f} % busy before"
    )
    for failure in work["failed"]:
        out.print(f"[red]failed: {escape(failure)}[/red]")
