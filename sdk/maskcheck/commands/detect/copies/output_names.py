"""Names of the files in an output folder: each is free, and none replaces what is read or what others wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from maskcheck.sources import Source


class OutputNames:
    """Gives each file that a run writes a name of its own.

    Args:
        folder: Where to write; it exists.
        sources: What is read; none of it is overwritten.
        own_folder: Whether an earlier run wrote the files in the folder, which may then be replaced.
    """

    def __init__(self, folder: Path, sources: Iterable[Source], *, own_folder: bool = True) -> None:
        self.folder = folder
        self._inputs = {
            os.path.realpath(source.path) for source in sources if source.error is None and not source.piped
        }
        self._own_folder = own_folder
        self._taken: set[str] = set()

    def take(self, name: Path) -> Path:
        """A path for a file of that name; where the name is taken, with a number.

        Raises:
            click.UsageError: It would replace what is read, or a file that no earlier run wrote.
        """
        target = self.free(name)
        if os.path.realpath(target) in self._inputs:
            raise click.UsageError(f"--output {self.folder} would overwrite {target}; choose another folder")
        if not self._own_folder and os.path.lexists(target):
            raise click.UsageError(
                f"--output {self.folder} would overwrite {target}, which no earlier run wrote (there are no results"
                " beside it); choose another folder"
            )
        return target

    def take_another(self, name: Path) -> Path:
        """As :meth:`take`, but where that would refuse, with a number: for a name that shows only during the run."""
        while True:
            target = self.free(name)
            if os.path.realpath(target) not in self._inputs and (self._own_folder or not os.path.lexists(target)):
                return target

    def free(self, name: Path) -> Path:
        """As :meth:`take`, without a look at the files that are there."""
        target = self.folder / name
        count = 1
        while str(target).casefold() in self._taken:  # two folders have this name; some systems ignore case
            count += 1
            target = self.folder / name.with_stem(f"{name.stem}-{count}")
        self._taken.add(str(target).casefold())
        return target
