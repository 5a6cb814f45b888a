"""``maskcheck-export convert``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from maskcheck_export.commands.prepare import require_export

PRECISIONS = ("float32", "float16", "int8")
CALIBRATIONS = ("minmax", "entropy", "percentile")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the files.  [default: the run's own]")
@click.option("--precision", "precisions", multiple=True, type=click.Choice(PRECISIONS), default=PRECISIONS)
@click.option("--license", required=True, help="Licence of the weights, an SPDX name; goes into the file.")
@click.option("--about-data", default="", help="What the training data are; goes into the file.")
@click.option(
    "--calibration",
    type=click.Choice((*CALIBRATIONS, "best")),
    default="minmax",
    help="How int8 chooses the ranges of activations; best tries all, on the validation faces.",
)
@click.option(
    "--reduce-range/--full-range",
    default=True,
    help="7-bit or 8-bit weights in int8; 8 bits overflow on CPUs without VNNI.",
)
def convert(
    run: Path,
    output: Path | None,
    precisions: tuple[str, ...],
    calibration: str,
    reduce_range: bool,
    **about: Any,
) -> None:
    """Make ONNX files of the finished training in the folder RUN, with a model card beside each."""
    require_export(backend="tensorflow")

    from maskcheck_export.conversion.conversion import convert
    from maskcheck_export.conversion.precision import Quantization
    from maskcheck_export.runs import load_run

    quantization = None if calibration == "best" else Quantization(calibration, reduce_range)
    loaded = load_run(run)
    with redirect_stdout(sys.stderr):  # the quantiser prints its progress to standard output
        written = convert(loaded, output or run, precisions, quantization=quantization, report=_say, **about)
    for path in written:
        click.echo(path)


def _say(line: str) -> None:
    click.echo(line, err=True)
