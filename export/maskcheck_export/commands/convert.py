"""``maskcheck-export convert``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from maskcheck_export.commands.log import report
from maskcheck_export.commands.prepare import require_export
from maskcheck_export.conversion.choices import CALIBRATIONS, PRECISIONS


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the files.  [default: the run's own]")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(PRECISIONS),
    default=PRECISIONS,
    help="Write only this precision; may be repeated.",
)
@click.option("--license", required=True, help="Licence of the weights, an SPDX name, for the metadata.")
@click.option("--about-data", default="", help="Description of the training data, for the metadata.")
@click.option(
    "--calibration",
    type=click.Choice((*CALIBRATIONS, "best")),
    default="minmax",
    help="How int8 chooses the ranges of activations; best compares all, on the validation faces.",
)
@click.option(
    "--reduce-range/--full-range",
    default=True,
    help="7-bit or 8-bit weights in int8; with 8-bit weights, CPUs without VNNI run the file in float32.",
)
def convert(
    run: Path,
    output: Path | None,
    precisions: tuple[str, ...],
    calibration: str,
    reduce_range: bool,
    **about: Any,
) -> None:
    """Convert the finished training in the folder RUN to ONNX files, with a model card beside each."""
    require_export(backend="tensorflow")

    from maskcheck_export.conversion.conversion import convert
    from maskcheck_export.conversion.precision import Quantization
    from maskcheck_export.runs import load_run

    quantization = None if calibration == "best" else Quantization(calibration, reduce_range)
    loaded = load_run(run)
    with redirect_stdout(sys.stderr):  # the quantiser prints its progress to standard output
        paths = convert(loaded, output or run, precisions, quantization=quantization, report=report, **about)
    for path in paths:
        click.echo(path)
