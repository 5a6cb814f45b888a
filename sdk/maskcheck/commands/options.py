"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_args

import click

from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import check_device
from maskcheck.sources import expand_home

Command = TypeVar("Command", bound=Callable[..., Any])


class FilePath(click.Path):
    """A file or folder; a leading ``~`` is the home folder, also in ``--output=~/x``, which a shell leaves as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, with the home folder in place of ``~``."""
        return super().convert(expand_home(value) if isinstance(value, str) else value, param, ctx)


def _check_threads(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
    if value is None:
        return None
    from maskcheck.runtime.config import MOST_THREADS

    if value > MOST_THREADS:
        raise click.BadParameter(
            f"expected at most {MOST_THREADS}, got {value}: a session starts all of them, and more take minutes"
        )
    return value


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
            callback=_check_threads,
            help="Threads of each session.  [default: the CPUs that this process may use]",
        ),
        click.option(
            "--provider",
            "providers",
            multiple=True,
            metavar="NAME",
            help="ONNX Runtime execution provider, instead of --device; may be repeated, the preferred first.",
        ),
        click.option(
            "--device", callback=_check_device, default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
        ),
        click.option(
            "--model",
            type=FilePath(),
            help="Classifier: an ONNX file; or small, the embedded model for speed.  [default: the embedded one]",
        ),
    ):
        command = option(command)
    return command


tile_option = click.option(
    "--tile",
    type=click.IntRange(64),
    metavar="PIXELS",
    help="Search larger pictures in overlapping slices of this side, which finds small faces in large pictures.",
)


def detector_options(command: Command) -> Command:
    """``--detector``, ``--detector-option``, ``--min-score`` and ``--tile``."""
    for option in (
        tile_option,
        click.option(
            "--min-score",
            type=click.FloatRange(0, 1),
            help="Least detection score of a face that is reported.  [default: 0.5 where the classifier takes a second"
            " look at what the detector proposes, else the detector's own]",
        ),
        click.option(
            "--detector-option",
            "detector_options",
            callback=_split_pairs,
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of the detector; may be repeated. `maskcheck detectors NAME` lists them.",
        ),
        click.option(
            "--detector", default="haar", show_default=True, help="Face detector; `maskcheck detectors` lists them."
        ),
    ):
        command = option(command)
    return command


def classifier_options(command: Command) -> Command:
    """``--classifier``, ``--classifier-option``, ``--model-timeout`` and ``--max-memory``."""

    @functools.wraps(command)
    def with_bytes(*args: Any, max_megabytes_of_memory: float | None, **values: Any) -> Any:
        most = None if max_megabytes_of_memory is None else max(1, round(max_megabytes_of_memory * 1e6))
        return command(*args, max_memory=most, **values)

    for option in (
        click.option(
            "--max-memory",
            "max_megabytes_of_memory",
            type=click.FloatRange(min=0, min_open=True),
            metavar="MEGABYTES",
            help="Most memory that a run of the model may take on the CPU.  [default: no limit]",
        ),
        click.option(
            "--model-timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Most time for loading the model, and for each run.  [default: no limit for the embedded model, else"
            " 60 to load and 60 for the first run]",
        ),
        click.option(
            "--classifier-option",
            "classifier_options",
            callback=_split_pairs,
            multiple=True,
            metavar="NAME=VALUE",
            help="Option of a plugin's classifier; may be repeated. `maskcheck classifiers NAME` lists them.",
        ),
        click.option(
            "--classifier",
            default="auto",
            metavar="NAME",
            help="What labels the faces; `maskcheck classifiers` lists the classifiers.  [default: the detector, if it"
            " does, else mask]",
        ),
    ):
        with_bytes = option(with_bytes)
    return cast(Command, with_bytes)


_LIMITS = {
    "max_megapixels": (click.FloatRange(min=0, min_open=True), 100, "Width times height of a picture, in millions."),
    "max_side": (click.IntRange(1), 65_500, "Width, and height, of a picture, in pixels."),
    "max_megabytes": (click.FloatRange(min=0, min_open=True), 500, "Size of a picture's file."),
    "max_scans": (click.IntRange(1), 100, "Scans of a progressive JPEG; each costs time."),
    "max_frames": (click.IntRange(1), 10_000, "Frames or pages of a file that are counted; only the first is read."),
}


def limit_options(command: Command) -> Command:
    """``--max-megapixels``, ``--max-side`` and the other limits of decoding, as the argument ``limits``."""

    @functools.wraps(command)
    def with_limits(*args: Any, **values: Any) -> Any:
        from maskcheck.pictures.limits import DecodingLimits

        given = {name: values.pop(name) for name in _LIMITS}
        limits = DecodingLimits(
            max_pixels=max(1, round(given["max_megapixels"] * 1e6)),
            max_side=given["max_side"],
            max_file_bytes=max(1, round(given["max_megabytes"] * 1e6)),
            max_scans=given["max_scans"],
            max_frames=given["max_frames"],
        )
        return command(*args, limits=limits, **values)

    for name, (kind, default, text) in reversed(_LIMITS.items()):
        option = click.option(
            f"--{name.replace('_', '-')}", type=kind, default=default, show_default=True, help=f"Limit. {text}"
        )
        with_limits = option(with_limits)
    return cast(Command, with_limits)


json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def pipeline_options(command: Command) -> Command:
    """The options of detector, classifier, session and limits, ``--batch-size`` and ``--max-faces``.

    They are arguments of ``MaskPipeline``, but for `providers`, which is empty instead of None, and its ``timeout``.
    """
    for option in (
        limit_options,
        click.option(
            "--max-faces",
            type=click.IntRange(1),
            default=1000,
            show_default=True,
            help="Most faces of a picture that are labelled, the best first; a note says how many were left out.",
        ),
        click.option("--batch-size", type=click.IntRange(1), help="Most faces in a batch.  [default: 32, or as tuned]"),
        session_options,
        classifier_options,
        detector_options,
    ):
        command = option(command)
    return command


PIPELINE_SECTIONS = {
    "Detector": ("detector", "detector_options", "min_score", "tile", "max_faces"),
    "Classifier": (
        "classifier",
        "classifier_options",
        "model",
        "precision",
        "model_timeout",
        "max_megabytes_of_memory",
    ),
    "Device": ("device", "providers", "threads", "batch_size"),
    "Limits of a picture": tuple(_LIMITS),
}
"""Titles of sections of the help, with the options of :func:`pipeline_options` in them."""
