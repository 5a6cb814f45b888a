"""What a command says while it works: on standard error, and in the log of its folder."""

from __future__ import annotations

import time
from pathlib import Path

import click


class FolderLog:
    """Called with a line, prints it and writes it with the time to a file in a folder.

    The folder may come later: until it is there, lines wait.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[str] = []

    def __call__(self, line: str) -> None:
        """Say a line."""
        click.echo(line, err=True)
        self._waiting.append(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}\n")
        if self._path.parent.is_dir():
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(self._waiting)
            self._waiting.clear()
