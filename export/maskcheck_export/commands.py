"""``maskcheck-export``: train a classifier, convert it to ONNX, verify the conversion."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import CommandGroup, require_extra
from maskcheck_export.data import describe, list_samples
from maskcheck_export.metrics import as_lines
from maskcheck_export.runs import MIN_INPUT_SIZE, PRECISIONS, Settings, load_run


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Train a mask classifier, convert it to ONNX and verify the conversion."""


def _prepare() -> None:
    require_extra("export", "tensorflow", "tf2onnx", "sklearn")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of TensorFlow's own log, show only errors


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write the run to.")
@click.option(
    "--weights",
    default=Settings.weights,
    help="Start of the body: imagenet (Keras downloads it), none, or a .weights.h5 file of InceptionV3 without top.",
)
@click.option("--label", "labels", multiple=True, default=Settings.labels, help="A label, in output order; repeat.")
@click.option(
    "--size", default=Settings.size, type=click.IntRange(MIN_INPUT_SIZE), help="Side of the input, in pixels."
)
@click.option(
    "--margin",
    default=Settings.margin,
    type=click.FloatRange(0, 2),
    help="Crop margin, as a share of the face's longer side.",
)
@click.option("--holdout", default=Settings.holdout, type=click.FloatRange(0.02, 0.5), help="Share kept out.")
@click.option("--head-epochs", default=Settings.head_epochs, type=click.IntRange(0), help="Epochs, body frozen.")
@click.option("--epochs", default=Settings.epochs, type=click.IntRange(0), help="Epochs of fine-tuning everything.")
@click.option("--batch-size", default=Settings.batch_size, type=click.IntRange(1), help="Faces a step.")
@click.option("--head-rate", default=Settings.head_rate, help="Learning rate with the body frozen (Adam).")
@click.option("--rate", default=Settings.rate, help="Peak learning rate of fine-tuning (Adam, cosine decay).")
@click.option("--dropout", default=Settings.dropout, type=click.FloatRange(0, 0.9), help="Dropout before the head.")
@click.option("--smoothing", default=Settings.smoothing, type=click.FloatRange(0, 0.5), help="Label smoothing.")
@click.option("--seed", default=Settings.seed, help="Of split, order, augmentation and initial weights.")
def train(data: tuple[Path, ...], folder: Path, **options: Any) -> None:
    """Train InceptionV3 on the faces in DATA folders.

    A folder holds either annotations.json (COCO boxes) beside images/, or a folder of pictures for each label.
    """
    _prepare()
    settings = Settings(**options)
    listings = [list_samples(path, settings.labels) for path in data]
    for line in (line for listing in listings for line in listing.skipped):
        _say(f"skipped: {line}")
    samples = [sample for listing in listings for sample in listing.samples]
    _say(f"{len(samples)} faces; {describe(samples)}")

    from maskcheck_export.training import train

    run = train(samples, settings, folder, verbose="auto" if sys.stderr.isatty() else 2)
    click.echo(f"trained from {run.commit} into {folder}; on {len(run.validation)} faces kept out:")
    click.echo("\n".join(as_lines(run.metrics)))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the files.  [default: the run's own]")
@click.option("--precision", "precisions", multiple=True, type=click.Choice(PRECISIONS), default=PRECISIONS)
@click.option("--license", required=True, help="Licence of the weights, an SPDX name; goes into the file.")
@click.option("--about-data", default="", help="What the training data are; goes into the file.")
def convert(run: Path, output: Path | None, precisions: tuple[str, ...], **about: Any) -> None:
    """Make float32.onnx and int8.onnx of the finished training in the folder RUN."""
    _prepare()

    from maskcheck_export.conversion import convert

    for path in convert(load_run(run), output or run, precisions, report=_say, **about):
        click.echo(path)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def verify(ctx: click.Context, /, run: Path, models: tuple[Path, ...]) -> None:
    """Compare ONNX MODELS with the Keras model in the folder RUN, on the faces kept out of its training.

    A float32 file must agree with Keras to 1e-4 with no label changed; an int8 file must give at least 99 faces in
    100 the label of the float32 file (of Keras, if none is given). Exit status 1 if one does not.
    """
    _prepare()

    from maskcheck_export.verification import verify

    comparisons = verify(load_run(run), models)
    for one in comparisons:
        accepted = "any" if one.limits.difference is None else f"{one.limits.difference:g}"
        click.echo(
            f"{'passed' if one.passed else 'FAILED'}: {one.name} against {one.reference} on {one.faces} faces:"
            f" largest difference {one.difference:.2e} (limit {accepted}), mean {one.mean_difference:.2e},"
            f" labels changed {one.flips} = {one.flips / one.faces:.2%} (limit {one.limits.flips:.0%})"
        )
        click.echo("\n".join(as_lines(one.metrics)))
    ctx.exit(SUCCESS if all(one.passed for one in comparisons) else SOMETHING_FAILED)


def _say(line: str) -> None:
    click.echo(line, err=True)
