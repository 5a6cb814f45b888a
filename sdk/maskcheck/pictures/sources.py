"""From what a user types to the pictures that it means: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding import SUFFIXES


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
    excluded = os.path.realpath(exclude) if exclude else None
    seen: set[str] = set()
    for argument in arguments:
        for source in _expand(argument, excluded):
            key = os.path.realpath(source.path)
            if source.error is not None or key not in seen:
                seen.add(key)
                yield source


def _expand(argument: str, excluded: str | None) -> Iterator[Source]:
    if not argument:
        yield _failed(argument, "an empty name was given; expected a file, a folder or a pattern")
        return
    path = Path(argument)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, ValueError) as error:  # a name too long, a null byte in it, a folder on the way that is closed
        yield _failed(argument, f"cannot read {argument}: {error}")
        return
    if is_folder:
        yield from _walk(path, excluded)
    elif exists:
        yield Source(path, Path(path.name))
    elif "://" in argument:
        yield _failed(argument, f"{argument} is an address; expected a file on this machine, so download it first")
    elif glob.has_magic(argument):
        yield from _match(argument, excluded)
    else:
        yield _failed(argument, f"no such file or folder: {argument}")


def _match(pattern: str, excluded: str | None) -> Iterator[Source]:
    found = False
    for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  Path.glob refuses absolute patterns
        path = Path(match)
        if path.is_file() and not _is_below(path, excluded):
            found = True
            yield Source(path, Path(path.name))
    if not found:
        yield _failed(pattern, f"no file matches {pattern}")


def _is_below(path: Path, folder: str | None) -> bool:
    return folder is not None and Path(folder) in Path(os.path.realpath(path)).parents


def _walk(root: Path, excluded: str | None) -> Iterator[Source]:
    problems: list[OSError] = []
    found = False
    for folder, subfolders, files in os.walk(root, onerror=problems.append):
        for source in _unreadable(problems):
            found = True
            yield source
        here = Path(folder)
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and os.path.realpath(here / name) != excluded
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                found = True
                yield Source(here / name, (here / name).relative_to(root))
    for source in _unreadable(problems):  # of the last folders
        found = True
        yield source
    if not found:
        endings = ", ".join(sorted(SUFFIXES))
        yield _failed(str(root), f"no picture in folder {root}; looked for files ending in {endings}")


def _unreadable(problems: list[OSError]) -> Iterator[Source]:
    """An error for each problem met so far, which takes it off the list."""
    while problems:
        problem = problems.pop(0)
        yield _failed(problem.filename, f"cannot read folder {problem.filename}: {problem.strerror}")


def _failed(argument: str, message: str) -> Source:
    return Source(Path(argument), Path(argument), SourceError(message, source=argument))
