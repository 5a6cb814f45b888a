"""``maskcheck-export``: train a classifier, convert it to ONNX, verify the conversion."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from maskcheck_export.data import DataError, describe, list_samples
from maskcheck_export.metrics import as_lines
from maskcheck_export.runs import Settings

EXIT_NOT_MET = 1
EXIT_CANNOT_RUN = 2


class _Group(click.Group):
    """Turns what a user can mend into a message and status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DataError as error:
            click.echo(f"maskcheck-export: {error}", err=True)
            ctx.exit(EXIT_CANNOT_RUN)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Train a mask classifier, convert it to ONNX and verify the conversion."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    missing = [name for name in ("tensorflow", "tf2onnx", "sklearn") if find_spec(name) is None]
    if missing and not {"-h", "--help"} & set(sys.argv):
        raise DataError(f'{", ".join(missing)} not installed; install with: pip install "maskcheck[export]"')


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write the run to.")
@click.option(
    "--weights",
    default=Settings.weights,
    help="Start of the body: imagenet (Keras downloads it), none, or a .weights.h5 file of InceptionV3 without top.",
)
@click.option("--label", "labels", multiple=True, default=Settings.labels, help="A label, in output order; repeat.")
@click.option("--size", default=Settings.size, type=click.IntRange(75), help="Side of the input, in pixels.")
@click.option("--margin", default=Settings.margin, help="Crop margin, as a share of the face's longer side.")
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
    settings = Settings(**options)
    listings = [list_samples(path, settings.labels) for path in data]
    for line in (line for listing in listings for line in listing.skipped):
        click.echo(f"skipped: {line}", err=True)
    samples = [sample for listing in listings for sample in listing.samples]
    click.echo(f"{len(samples)} faces; {describe(samples)}", err=True)

    from maskcheck_export.training import train

    run = train(samples, settings, folder, verbose="auto" if sys.stderr.isatty() else 2)
    click.echo(f"trained from {run.commit} into {folder}; on {len(run.validation)} faces kept out:")
    click.echo("\n".join(as_lines(run.metrics)))
