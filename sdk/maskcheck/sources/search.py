"""The search for pictures: what each argument of a command stands for."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from maskcheck.pictures.decoding.files import file_kind
from maskcheck.sources.folders import search_folder
from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.pipes import is_standard_input, pipe_identity
from maskcheck.sources.source import Source, failed_source, picture_source, reason
from maskcheck.texts import shortened_path

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_WINDOWS_INVALID_NAME = 123  # ERROR_INVALID_NAME: the name may be a pattern, with * or ?


def find_pictures(
    arguments: Iterable[str], *, exclude: Path | None = None, left_out: LeftOut | None = None
) -> Iterator[Source]:
    """The pictures that files, folders and patterns stand for, in a stable order, each file once.

    In a folder, a file is a picture by its ending, or else by its first bytes. Other files, hidden files, and whatever
    else is not a regular file are passed over and counted.

    Args:
        arguments: Each a file (of any name), a folder (searched with all folders below it), a pattern with ``*``,
            ``?``, ``[...]`` and ``**``, a pipe, or ``-`` for standard input. A leading ``~`` is the home folder.
        exclude: A folder that is not searched: the output folder.
        left_out: Counts what is passed over.

    Yields:
        Pictures; and an error in place of an argument, folder or file that cannot be read.
    """
    excluded = os.path.realpath(exclude) if exclude else None
    left_out = LeftOut() if left_out is None else left_out
    seen: set[str] = set()
    for argument in arguments:
        for source in _expand(argument, excluded, left_out):
            if source.error is None:
                identity = pipe_identity(source.path) if source.piped else os.path.realpath(source.path)
                if identity in seen:
                    left_out.count("named twice", "named twice")
                    continue
                seen.add(identity)
            yield source


def expand_home(argument: str) -> str:
    """A path whose leading ``~`` is replaced by the home folder; unchanged if that is not known.

    A shell replaces ``~`` only at the start of a word, so not in ``--output=~/x``.
    """
    if argument[:1] != "~" or argument[1:2] not in ("", "/", os.sep) or os.environ.get("HOME") == "":
        return argument
    expanded = os.path.expanduser(argument)  # noqa: PTH111  Path's raises where there is no home
    return expanded if PurePath(expanded).is_absolute() else argument


def _expand(argument: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    if not argument:
        yield failed_source(argument, "expected a file, a folder or a pattern, got an empty name")
        return
    if is_standard_input(argument):
        yield Source(Path(argument), Path("stdin"), piped=True)
        return
    path = expand_home(argument)
    shown = shortened_path(argument)
    mode, error_reason = 0, ""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: the name has a null byte, or is not valid text
        if not _is_missing(error):
            error_reason = reason(error)
    if stat.S_ISDIR(mode):
        yield from search_folder(path, excluded, left_out)
    elif stat.S_ISREG(mode):
        yield picture_source(Path(path), Path(Path(path).name))
    elif stat.S_ISFIFO(mode):
        name = Path(path).name
        yield Source(Path(path), Path(f"pipe-{name}" if name.isdecimal() else name), piped=True)  # 63, of /dev/fd/63
    elif mode:
        yield failed_source(argument, f"{shown} is a {file_kind(mode)}; expected a file, a folder or a pattern")
    elif argument[:5].lower() == "data:":
        yield failed_source(argument, f"{shown} is a data URI; expected a file, so write its content to a file first")
    elif "://" in argument:
        yield failed_source(argument, f"{shown} is an address; expected a file on this machine, so download it first")
    elif error_reason:
        yield failed_source(argument, f"cannot read {shown}: {error_reason}")
    elif glob.has_magic(argument):
        yield from _match(argument, path, excluded, left_out)
    else:
        yield failed_source(argument, f"no such file or folder: {shown}")


def _is_missing(error: OSError | ValueError) -> bool:
    return isinstance(error, OSError) and (
        error.errno in _MISSING or getattr(error, "winerror", None) == _WINDOWS_INVALID_NAME
    )


def _match(argument: str, pattern: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    try:
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
    except (OSError, ValueError) as error:
        yield failed_source(argument, f"cannot search for {shortened_path(argument)}: {reason(error)}")
        return
    matches_a_file = False
    for match in matches:
        path = Path(match)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if os.path.islink(match):  # noqa: PTH114  Path's may raise
                left_out.count("broken link", "broken links")
                continue
            matches_a_file = True
            yield failed_source(match, f"cannot read {match}: {reason(error)}")
            continue
        if _is_below(path, excluded):
            left_out.count("in the output folder", "in the output folder")
        elif stat.S_ISREG(mode):
            matches_a_file = True
            yield picture_source(path, Path(path.name))
        elif stat.S_ISDIR(mode):
            left_out.count("folder that a pattern matches", "folders that a pattern matches")
        else:
            left_out.count(file_kind(mode), f"{file_kind(mode)}s")
    if not matches_a_file:
        yield failed_source(argument, f"no file matches {shortened_path(argument)}")


def _is_below(path: Path, folder: str | None) -> bool:
    return folder is not None and Path(folder) in Path(os.path.realpath(path)).parents
