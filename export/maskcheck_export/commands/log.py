"""Reports the progress of a command: on standard error, and in a log file."""

from __future__ import annotations

import time
from pathlib import Path

import click


def report(line: str) -> None:
    """Print a line to standard error."""
    click.echo(line, err=True)


class LogFile:
    """Called with a line, prints it and appends it with the time to a file.

    Lines wait until the folder of the file exists: a training creates it after its checks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[str] = []

    def __call__(self, line: str) -> None:
        """Print and write a line."""
        report(line)
        self._waiting.append(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}\n")
        if self._path.parent.is_dir():
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(self._waiting)
            self._waiting.clear()
