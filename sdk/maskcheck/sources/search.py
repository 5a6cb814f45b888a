"""Finds the sources that the arguments of a command name."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding.files import file_kind
from maskcheck.sources.file_kinds import file_source
from maskcheck.sources.folders import search_folder
from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.list_files import is_list, read_list
from maskcheck.sources.live_names import live_source
from maskcheck.sources.pipes import is_standard_input, pipe_identity
from maskcheck.sources.source import ALL_KINDS, Source, SourceKind, failed_source, reason, shown_argument
from maskcheck.texts import shortened_path

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_WINDOWS_INVALID_NAME = 123  # ERROR_INVALID_NAME: the name may be a pattern, with * or ?


def find_sources(
    arguments: Iterable[str],
    *,
    kinds: Collection[SourceKind] = ALL_KINDS,
    exclude: Path | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[Source]:
    """The pictures, videos and live sources that arguments name, in a stable order, each once.

    In a folder, a file counts as a picture or a video by its ending, or else by its first bytes. Other files, hidden
    files and everything that is not a regular file are skipped and counted.

    Args:
        arguments: Each is a file (of any name), a folder (searched with all folders below it), a pattern with ``*``,
            ``?``, ``[...]`` and ``**``, a pipe, ``-`` for a picture on standard input, the number of a camera, the
            address of a stream, or ``@FILE`` for a list of these, one per line (see :func:`read_list`). A leading ``~``
            is the home folder.
        kinds: The kinds to find. A source of another kind is an error, or is skipped if it was found in a folder.
        exclude: A folder that is not searched, such as the output folder.
        left_out: Counts what is skipped.

    Yields:
        Sources; an error in place of each argument, folder or file that cannot be read.
    """
    excluded = os.path.realpath(exclude) if exclude else None
    left_out = LeftOut() if left_out is None else left_out
    seen: set[object] = set()
    for argument, error in _with_lists(list(arguments)):
        if error is not None:
            yield failed_source(argument, str(error))
            continue
        for source in _expand(argument, kinds, excluded, left_out):
            if source.error is None:
                identity = _identity(source)
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


def _with_lists(arguments: list[str]) -> Iterator[tuple[str, SourceError | None]]:
    """The arguments, each list replaced by its lines; an error for each list that cannot be read."""
    list_on_standard_input = "@-" in arguments
    for argument in arguments:
        lines = [argument]
        if is_list(argument):
            try:
                lines = read_list(f"@{expand_home(argument[1:])}")
            except SourceError as error:
                yield argument, error
                continue
        for line in lines:
            if list_on_standard_input and is_standard_input(line):
                message = "standard input is the list of sources (@-), so it cannot be a picture too"
                yield line, SourceError(message, source=line)
            else:
                yield line, None


def _identity(source: Source) -> object:
    if source.kind == "live":
        return "live", source.address
    return pipe_identity(source.path) if source.piped else os.path.realpath(source.path)


def _expand(argument: str, kinds: Collection[SourceKind], excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    if not argument:
        yield failed_source(argument, "expected a file, a folder or a pattern, got an empty name")
        return
    if is_standard_input(argument):
        yield Source(Path(argument), Path("stdin"), piped=True)
        return
    path = expand_home(argument)
    shown = shortened_path(shown_argument(argument))
    mode, error_reason = 0, ""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: the name contains a null byte or invalid text
        if not _is_missing(error):
            error_reason = reason(error)
    if stat.S_ISDIR(mode):
        yield from search_folder(path, kinds, excluded, left_out)
    elif stat.S_ISREG(mode):
        yield file_source(path, kinds)
    elif stat.S_ISFIFO(mode):
        name = Path(path).name
        yield Source(Path(path), Path(f"pipe-{name}" if name.isdecimal() else name), piped=True)  # 63, of /dev/fd/63
    elif "live" in kinds and (live := live_source(argument)) is not None:
        yield live
    elif mode:
        yield failed_source(argument, f"{shown} is a {file_kind(mode)}; expected a file, a folder or a pattern")
    elif argument[:5].lower() == "data:":
        yield failed_source(argument, f"{shown} is a data URI; expected a file, so write its content to a file first")
    elif "://" in argument:
        wanted = ", or a stream, such as rtsp://HOST/PATH or http://HOST/PATH" if "live" in kinds else ""
        message = f"{shown} is an address; expected a file on this machine, so download it first{wanted}"
        yield failed_source(argument, message)
    elif error_reason:
        yield failed_source(argument, f"cannot read {shown}: {error_reason}")
    elif glob.has_magic(argument):
        yield from _match(argument, path, kinds, excluded, left_out)
    else:
        yield failed_source(argument, f"no such file or folder: {shown}")


def _is_missing(error: OSError | ValueError) -> bool:
    return isinstance(error, OSError) and (
        error.errno in _MISSING or getattr(error, "winerror", None) == _WINDOWS_INVALID_NAME
    )


def _match(
    argument: str, pattern: str, kinds: Collection[SourceKind], excluded: str | None, left_out: LeftOut
) -> Iterator[Source]:
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
            yield file_source(match, kinds)
        elif stat.S_ISDIR(mode):
            left_out.count("folder that a pattern matches", "folders that a pattern matches")
        else:
            left_out.count(file_kind(mode), f"{file_kind(mode)}s")
    if not matches_a_file:
        yield failed_source(argument, f"no file matches {shortened_path(argument)}")


def _is_below(path: Path, folder: str | None) -> bool:
    return folder is not None and Path(folder) in Path(os.path.realpath(path)).parents
