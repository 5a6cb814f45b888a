"""Runs child processes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from maskcheck import MaskCheckError

_LAST_LINES = 3  # of standard error, for the message about a process that failed


class ProcessFailed(MaskCheckError):
    """A process ended before its work was done."""


def run_child(command: Sequence[str], purpose: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a process and wait until it ends.

    Args:
        command: Program and arguments.
        purpose: What it does, for the message of an error.
        environment: Its variables, instead of those of this process.

    Returns:
        What it wrote to standard output.

    Raises:
        ProcessFailed: Its exit status is not 0; the message holds the last lines of its standard error.
    """
    process = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )
    if process.returncode != 0:
        lines = "; ".join(process.stderr.strip().splitlines()[-_LAST_LINES:])
        raise ProcessFailed(f"{purpose}: its process ended with status {process.returncode}: {lines}")
    return process.stdout
