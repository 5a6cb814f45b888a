"""From what a user types to the pictures that it means: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maskcheck.errors import SourceError
from maskcheck.images import SUFFIXES


@dataclass(frozen=True)
class Source:
    """One picture file, or the reason why there is none.

    Attributes:
        path: The file.
        name: Its place below the folder that it was found in, or its own name: what to call a copy of it.
        error: Set if the path leads nowhere.
    """

    path: Path
    name: Path
    error: SourceError | None = None


def find_pictures(arguments: Iterable[str], *, exclude: Path | None = None) -> Iterator[Source]:
    """The pictures that files, folders and patterns stand for, in a stable order, each file once.

    Args:
        arguments: Each a file (taken whatever its name), a folder (searched with all below it for files with the
            ending of a picture; hidden ones are passed over) or a pattern with ``*``, ``?``, ``[...]`` and ``**``.
        exclude: A folder that is not searched: where the results go.

    Yields:
        Pictures; and for an argument or folder that cannot be read, its error, in its place.
    """
    seen: set[Path] = set()
    for argument in arguments:
        for source in _expand(argument, exclude):
            key = source.path.resolve()
            if source.error is not None or key not in seen:
                seen.add(key)
                yield source


def _expand(argument: str, exclude: Path | None) -> Iterator[Source]:
    path = Path(argument)
    if path.is_dir():
        yield from _walk(path, exclude)
    elif path.exists():
        yield Source(path, Path(path.name))
    elif "://" in argument:
        yield _failed(argument, f"{argument} is an address; expected a file on this machine, so download it first")
    elif glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
        if not matches:
            yield _failed(argument, f"no file matches {argument}")
        for match in matches:
            if Path(match).is_file():
                yield Source(Path(match), Path(Path(match).name))
    else:
        yield _failed(argument, f"no such file or folder: {argument}")


def _walk(root: Path, exclude: Path | None) -> Iterator[Source]:
    excluded = exclude.resolve() if exclude else None
    problems: list[OSError] = []
    found = False
    for folder, subfolders, files in os.walk(root, onerror=problems.append):
        here = Path(folder)
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and (here / name).resolve() != excluded
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                found = True
                yield Source(here / name, (here / name).relative_to(root))
    for problem in problems:
        yield _failed(problem.filename, f"cannot read folder {problem.filename}: {problem.strerror}")
    if not found and not problems:
        yield _failed(
            str(root), f"no picture in folder {root}; looked for files ending in {', '.join(sorted(SUFFIXES))}"
        )


def _failed(argument: str, message: str) -> Source:
    return Source(Path(argument), Path(argument), SourceError(message, source=argument))
