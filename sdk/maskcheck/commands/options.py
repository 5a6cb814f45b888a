"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from maskcheck.runtime import Precision, check_device

Command = TypeVar("Command", bound=Callable[..., Any])


def _check_device(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        check_device(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


def _split_pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"expected NAME=VALUE, got {value!r}")
        pairs[name] = text
    return pairs


def session_options(command: Command) -> Command:
    """``--model``, ``--device``, ``--provider``, ``--threads`` and ``--precision``."""
    for option in (
        click.option(
            "--precision",
            type=click.Choice(get_args(Precision)),
            default="auto",
            show_default=True,
            help="Arithmetic of the classifier: float32 also computes an int8 file in float.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1),
            help="Threads of the classifier.  [default: the CPUs that this process may use]",
        ),
        click.option(
            "--provider",
            "providers",
            multiple=True,
            metavar="NAME",
            help="ONNX Runtime execution provider, instead of --device; repeat in order of preference.",
        ),
        click.option(
            "--device", callback=_check_device, default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
        ),
        click.option("--model", type=click.Path(), help="Classifier, an ONNX file.  [default: the embedded one]"),
    ):
        command = option(command)
    return command


tile_option = click.option(
    "--tile",
    type=click.IntRange(64),
    metavar="PIXELS",
    help="Search larger pictures in overlapping slices of this side: small faces in large pictures.",
)


def detector_options(command: Command) -> Command:
    """``--detector``, ``--detector-option``, ``--min-score`` and ``--tile``."""
    for option in (
        tile_option,
        click.option(
            "--min-score",
            type=click.FloatRange(0, 1),
            help="Least detection score of a face that is reported.  [default: the detector's own]",
        ),
        click.option(
            "--detector-option",
            "detector_options",
            callback=_split_pairs,
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of the detector; repeat. `maskcheck detectors NAME` lists them.",
        ),
        click.option(
            "--detector", default="haar", show_default=True, help="Face detector; `maskcheck detectors` lists them."
        ),
    ):
        command = option(command)
    return command


json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
