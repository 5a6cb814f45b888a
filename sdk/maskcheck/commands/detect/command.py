"""The command and its options."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from maskcheck.commands.detect.run_options import SECTIONS, run_options
from maskcheck.commands.group import OWNS_PROCESS
from maskcheck.commands.options import FilePath, pipeline_options
from maskcheck.commands.sections import SectionedCommand

if TYPE_CHECKING:
    from maskcheck.commands.detect.result_files.result_writers import Form
    from maskcheck.commands.detect.settings import RunSettings
    from maskcheck.pictures.limits import DecodingLimits

_WHOLE_PICTURE = "whole-picture"
"""Name of the detector that reports the whole picture as a face."""


@click.command(cls=SectionedCommand, sections=SECTIONS)
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--output",
    type=FilePath(path_type=Path, file_okay=False),
    help="Folder for annotated pictures, results.jsonl and receipt.json, which says what the results were made with."
    " Only one run at a time writes to it.",
)
@click.option(
    "--json",
    "json_file",
    type=FilePath(allow_dash=True),
    metavar="FILE|-",
    help="Write a line of JSON for each picture; - is standard output. During the run, the lines are in FILE.part. The"
    " receipt for NAME.jsonl is NAME.receipt.json.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "coco", "parquet"]),
    help="Form of the results in the output folder: results.jsonl and, at the end, results.csv, annotations.json or"
    " results.parquet beside it. Without --output, the results go to standard output, except for parquet.",
)
@click.option(
    "--no-detector",
    is_flag=True,
    help=f"Each picture is a face that is already cut out; same as --detector {_WHOLE_PICTURE}.",
)
@run_options
@pipeline_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="A picture fails if decoding it and finding its faces takes longer.  [default: no limit]",
)
@click.pass_context
def detect(
    ctx: click.Context,
    /,
    sources: tuple[str, ...],
    output: Path | None,
    json_file: str | None,
    form: Form | None,
    detector: str,
    detector_options: dict[str, str],
    no_detector: bool,
    limits: DecodingLimits,
    settings: RunSettings,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Find the faces in SOURCES and label each.

    SOURCES are pictures and videos, folders (searched with all their subfolders), patterns such as 'photos/**/*.jpg',
    @FILE for a list of sources, - for a picture on standard input, cameras (0, 1, ...), and addresses of streams
    (rtsp://..., http://...). In videos, people are followed: each has a number, and a label that does not flicker. What
    cannot be read is reported, and the run goes on. Ctrl-C ends the run and keeps its results.
    """
    from PIL import Image

    from maskcheck.commands.detect.run import DetectRun
    from maskcheck.commands.detect.targets import Targets
    from maskcheck.commands.exits import end_process
    from maskcheck.commands.standard_streams import own_standard_output
    from maskcheck.pipeline import MaskPipeline
    from maskcheck.sources import LeftOut, find_sources

    if no_detector:
        if ctx.get_parameter_source("detector") is not ParameterSource.DEFAULT:
            raise click.UsageError("--no-detector and --detector exclude each other")
        detector = _WHOLE_PICTURE
    on_standard_output = _form_on_standard_output(form, json_file, output)
    Image.MAX_IMAGE_PIXELS = None  # --max-megapixels takes the place of Pillow's own limit
    with ExitStack() as stack:
        own_output: IO[str] | None = None
        events_there = settings.events == "-"
        if events_there and on_standard_output:
            raise click.UsageError("--events - and results on standard output exclude each other; give one a FILE")
        if on_standard_output or events_there:  # first of all, as a plugin may print when it is imported
            own_output = stack.enter_context(own_standard_output())
        try:
            pipeline = MaskPipeline(
                detector, detector_options=detector_options, providers=providers or None, limits=limits, **options
            )
        except ValueError as error:  # it names the value that is out of range
            raise click.UsageError(str(error)) from None
        pipeline.warm_up()
        _check_labels(settings.fail_on, pipeline.labels)
        left_out = LeftOut()
        run = DetectRun(
            pipeline,
            list(find_sources(sources, exclude=output, left_out=left_out)),
            Targets(
                output,
                form or "jsonl",
                json_file if json_file != "-" else None,
                on_standard_output,
                own_output,
                events_there,
            ),
            settings,
            left_out=left_out,
        )
        status = run()
    if run.hangs and ctx.meta.get(OWNS_PROCESS):
        end_process(status)
    ctx.exit(status)


def _form_on_standard_output(form: Form | None, json_file: str | None, output: Path | None) -> Form | None:
    if json_file == "-":
        if form is not None and output is None and form != "jsonl":
            raise click.UsageError(f"--json - and --format {form} both go to standard output; give --output or a FILE")
        return "jsonl"
    if form == "parquet" and output is None:
        raise click.UsageError("--format parquet is no text: give --output, the folder for results.parquet")
    return form if output is None else None


def _check_labels(wanted: Sequence[str], labels: Sequence[str]) -> None:
    for label in wanted:
        if label not in labels:
            raise click.BadParameter(f"the labels are {', '.join(labels)}; got {label!r}", param_hint="--fail-on")
