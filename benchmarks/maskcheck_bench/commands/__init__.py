"""The command ``maskcheck-bench``: how fast and how right it is on this machine."""

from __future__ import annotations

import click

from maskcheck.commands.group import CommandGroup
from maskcheck_bench.commands.accuracy import accuracy
from maskcheck_bench.commands.compare import compare
from maskcheck_bench.commands.run import run


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Measure how fast maskcheck is on this machine, and how right."""


for _command in (run, accuracy, compare):
    main.add_command(_command)
