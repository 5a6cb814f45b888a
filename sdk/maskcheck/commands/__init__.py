"""The command ``maskcheck``."""

from __future__ import annotations

import click

from maskcheck.commands.detect import detect
from maskcheck.commands.detectors import detectors
from maskcheck.commands.doctor import doctor
from maskcheck.commands.group import CommandGroup
from maskcheck.commands.info import info
from maskcheck.commands.schema import schema


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Find faces in pictures and say of each whether it wears a face mask.

    Exit status: 0 success, 1 finished but something failed, 2 could not run.
    """


for _command in (detect, detectors, doctor, info, schema):
    main.add_command(_command)
