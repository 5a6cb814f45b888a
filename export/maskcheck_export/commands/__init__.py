"""``maskcheck-export``: trains a classifier, evaluates it, converts it to ONNX and verifies the ONNX files."""

from __future__ import annotations

import click

from maskcheck.commands.group import CommandGroup
from maskcheck_export.commands.card import card
from maskcheck_export.commands.complete import complete
from maskcheck_export.commands.convert import convert
from maskcheck_export.commands.data import data
from maskcheck_export.commands.evaluate import evaluate
from maskcheck_export.commands.fit_judge import fit_judge
from maskcheck_export.commands.quantize_detector import quantize_detector
from maskcheck_export.commands.review import review
from maskcheck_export.commands.split import split
from maskcheck_export.commands.train import train
from maskcheck_export.commands.triton import triton
from maskcheck_export.commands.tune import tune
from maskcheck_export.commands.verify import verify


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Train a mask classifier, evaluate it, convert it to ONNX and verify the ONNX files."""


for _command in (
    data,
    review,
    complete,
    split,
    train,
    tune,
    evaluate,
    convert,
    verify,
    card,
    fit_judge,
    quantize_detector,
    triton,
):
    main.add_command(_command)
