"""The command ``maskcheck``."""

from __future__ import annotations

import click

from maskcheck.commands.batch import batch
from maskcheck.commands.detect import detect
from maskcheck.commands.doctor import doctor
from maskcheck.commands.group import CommandGroup
from maskcheck.commands.info import info
from maskcheck.commands.report import report
from maskcheck.commands.schema import schema
from maskcheck.commands.serve import serve
from maskcheck.commands.stages import classifiers, detectors


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Find the faces in pictures, and whether each wears a face mask.

    Exit status: 0 success, 1 finished but something failed, 2 could not run.
    """


for _command in (detect, batch, serve, report, detectors, classifiers, doctor, info, schema):
    main.add_command(_command)
