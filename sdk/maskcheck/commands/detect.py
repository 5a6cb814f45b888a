"""``maskcheck detect``: label the faces of pictures."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.options import detector_options, session_options

if TYPE_CHECKING:
    from rich.console import Console

    from maskcheck.pictures.sources import Source
    from maskcheck.pipeline import MaskPipeline
    from maskcheck.results import FrameResult


@click.command()
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for annotated pictures and results.jsonl.",
)
@click.option("--json", "json_file", metavar="FILE|-", help="Write one line of JSON a picture; - is standard output.")
@detector_options
@session_options
@click.option("--batch-size", type=click.IntRange(1), help="Most faces in one run.  [default: 32, or the tuned]")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    default=100,
    show_default=True,
    help="Larger pictures are refused before decoding.",
)
@click.option("--fail-on", multiple=True, metavar="LABEL", help="Exit with status 1 if a face has this label; repeat.")
@click.pass_context
def detect(
    ctx: click.Context,
    /,
    pictures: tuple[str, ...],
    output: Path | None,
    json_file: str | None,
    detector: str,
    detector_options: dict[str, str],
    max_megapixels: float,
    fail_on: tuple[str, ...],
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Find the faces in PICTURES and label each.

    PICTURES are files, folders (searched with all below them) and patterns such as 'photos/**/*.jpg'. A picture that
    cannot be read is reported, and the others go on.
    """
    from PIL import Image

    from maskcheck.commands.annotate import Annotator
    from maskcheck.pictures.limits import DecodingLimits
    from maskcheck.pictures.sources import find_pictures
    from maskcheck.pipeline import MaskPipeline

    Image.MAX_IMAGE_PIXELS = None  # --max-megapixels takes the place of Pillow's own limit
    pipeline = MaskPipeline(
        detector,
        detector_options=detector_options,
        providers=providers or None,
        limits=DecodingLimits(max_pixels=round(max_megapixels * 1e6)),
        **options,
    )
    pipeline.warm_up()
    _check_labels(fail_on, pipeline.classifier.labels)
    sources = list(find_pictures(pictures, exclude=output))
    quiet = json_file == "-"  # nothing but JSON goes to standard output

    results: list[FrameResult] = []
    unwritten: list[str] = []
    with ExitStack() as stack:
        annotator = Annotator(output, sources) if output else None
        files = [stack.enter_context(file) for file in _open_results(json_file, output)]
        for source, result in _track(_results(pipeline, sources), len(sources)):
            results.append(result)
            for file in files:
                file.write(json.dumps(result.to_dict()) + "\n")
                file.flush()  # what is done stays, whatever comes after
            if annotator and result.error is None:
                try:
                    annotator.write(source, result)
                except (OSError, ValueError) as error:
                    unwritten.append(f"maskcheck: {source.path} was not annotated: {error}")

    for console in _consoles(quiet):
        _print_table(console, results, output)
    for line in unwritten:
        click.echo(line, err=True)
    failed = bool(unwritten) or any(
        result.error is not None or any(face.label in fail_on for face in result) for result in results
    )
    ctx.exit(SOMETHING_FAILED if failed else SUCCESS)


def _check_labels(wanted: Sequence[str], labels: Sequence[str]) -> None:
    for label in wanted:
        if label not in labels:
            raise click.BadParameter(
                f"the model has no label {label!r}; its labels: {', '.join(labels)}", param_hint="--fail-on"
            )


def _results(pipeline: MaskPipeline, sources: Sequence[Source]) -> Iterator[tuple[Source, FrameResult]]:
    """A result for each source, in order; an error for what leads nowhere."""
    from maskcheck.results import FrameResult

    answers = pipeline.stream(source.path for source in sources if source.error is None)
    for source in sources:
        if source.error is None:
            yield source, next(answers)
        else:
            yield source, FrameResult((), (0, 0), source=str(source.path), error=source.error)


def _open_results(json_file: str | None, output: Path | None) -> Iterator[IO[str]]:
    if output:
        yield (output / "results.jsonl").open("w", encoding="utf-8")
    if json_file:
        yield click.open_file(json_file, "w", encoding="utf-8")


def _track(results: Iterable[tuple[Source, FrameResult]], total: int) -> Iterable[tuple[Source, FrameResult]]:
    if not sys.stderr.isatty():
        return results
    from rich.progress import track

    from maskcheck.commands.console import console

    return track(results, "Pictures", total=total, console=console(stderr=True), transient=True)


def _consoles(quiet: bool) -> list[Console]:
    if quiet and not sys.stderr.isatty():
        return []
    from maskcheck.commands.console import console  # here: it takes a tenth of the time of one picture to load

    return [console(stderr=quiet)]


def _print_table(console: Console, results: Sequence[FrameResult], output: Path | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("picture", overflow="fold")  # a path that is cut short is of no use
    table.add_column("faces", justify="right")
    table.add_column("labels")
    table.add_column("ms", justify="right")
    for result in results:
        source = escape(result.source or "")
        if result.error is not None:
            table.add_row(source, "-", f"[red]{type(result.error).__name__}: {escape(str(result.error))}[/red]", "-")
        else:
            notes = "".join(f" [dim]({escape(note)})[/dim]" for note in result.notes)
            table.add_row(source, str(len(result)), _count(result) + notes, f"{result.timings.total:.0f}")
    console.print(table)
    faces = [face for result in results for face in result]
    failed = sum(result.error is not None for result in results)
    summary = f"{_plural(len(results) - failed, 'picture')}, {_plural(len(faces), 'face')}"
    summary += f", {failed} failed" if failed else ""
    console.print(summary + (f"; annotated pictures and results.jsonl are in {escape(str(output))}" if output else ""))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _count(result: FrameResult) -> str:
    counts = Counter(face.label for face in result)
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items())) or "no face"
