"""Child processes, run to their end."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from maskcheck import MaskCheckError

_LAST_WORDS = 3  # lines of a process that failed


class ProcessFailed(MaskCheckError):
    """A process ended without doing what it was to do."""


def run_child(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a process and wait for its end.

    Args:
        command: Its words.
        what: What it does, for the message of an error.
        environment: Its variables, instead of those of this process.

    Returns:
        What it wrote to standard output.

    Raises:
        ProcessFailed: It ended with another status than 0; the message has the last lines of its standard error.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        words = "; ".join(done.stderr.strip().splitlines()[-_LAST_WORDS:])
        raise ProcessFailed(f"{what}: its process ended with status {done.returncode}: {words}")
    return done.stdout
