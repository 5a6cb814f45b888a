"""Where tables are printed."""

from __future__ import annotations

import sys

from rich.console import Console

_WIDTH_OF_FILES = 160  # where there is no window to ask, in characters


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error, as wide as its window."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDTH_OF_FILES)
