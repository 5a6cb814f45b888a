"""The command ``maskcheck-bench``: speed and accuracy on this machine."""

from __future__ import annotations

import click

from maskcheck.commands.group import CommandGroup
from maskcheck_bench.commands.accuracy import accuracy
from maskcheck_bench.commands.batch import batch
from maskcheck_bench.commands.compare import compare
from maskcheck_bench.commands.folders import folders
from maskcheck_bench.commands.gpu import gpu
from maskcheck_bench.commands.live import live
from maskcheck_bench.commands.run import run
from maskcheck_bench.commands.service import service
from maskcheck_bench.commands.tracking import tracking
from maskcheck_bench.commands.video import video
from maskcheck_bench.commands.video_truth import video_truth


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Measure speed and accuracy of maskcheck on this machine."""


for _command in (run, accuracy, batch, compare, gpu, live, folders, service, tracking, video, video_truth):
    main.add_command(_command)
