"""From what a user types to the pictures that it means: files, folders, patterns and pipes."""

from __future__ import annotations

import errno
import glob
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding import SUFFIXES
from maskcheck.pictures.headers import picture_format
from maskcheck.pictures.limits import DecodingLimits

_STANDARD_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
# Most of these are TIFF files inside, of which a reader of TIFF would take the small preview for the picture.
_RAW = frozenset({".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"})
_HEAD_BYTES = 64  # enough to tell a picture by
_KINDS_NAMED = 5  # of the endings of files that are no pictures
_LONGEST_SHOWN = 200  # of a name in a message, in characters: a data URI may have a million
# What stat raises where nothing has that name; on Windows also for a name with * or ? in it.
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
_INVALID_NAME = 123  # Windows: ERROR_INVALID_NAME
_SEPARATORS = os.sep + (os.altsep or "")


@dataclass(frozen=True, slots=True)
class Source:
    """One picture, or the reason why there is none.

    Attributes:
        path: The file.
        name: Its place below the folder that it was found in, or its own name: what to call a copy of it.
        error: Set if the path leads nowhere.
        piped: Whether it is standard input or a pipe, which :func:`read_piped` reads, once.
    """

    path: Path
    name: Path
    error: SourceError | None = None
    piped: bool = False

    @property
    def shown(self) -> str:
        """What it is called in results; what leads nowhere, as it was typed (a path would lose a slash of ``//``)."""
        return str(self.path) if self.error is None else self.error.source


class LeftOut:
    """What a search passed over, by kind and number; as text, ``2 files that are no pictures (2 .txt), 1 hidden``."""

    def __init__(self) -> None:
        self._endings: Counter[str] = Counter()
        self._spellings: dict[str, str] = {}
        self._kinds: Counter[tuple[str, str]] = Counter()

    def no_picture(self, name: str) -> None:
        """Count a file that is no picture."""
        ending = PurePath(name).suffix
        self._endings[ending.lower()] += 1
        self._spellings.setdefault(ending.lower(), ending)

    def count(self, one: str, several: str) -> None:
        """Count something of another kind, which is called so."""
        self._kinds[one, several] += 1

    def add(self, other: LeftOut) -> None:
        """Count what another search passed over as well."""
        self._endings.update(other._endings)
        self._spellings = other._spellings | self._spellings
        self._kinds.update(other._kinds)

    def __bool__(self) -> bool:
        return bool(self._endings or self._kinds)

    def __str__(self) -> str:
        parts = []
        files = self._endings.total()
        if files:
            words = "file that is no picture" if files == 1 else "files that are no pictures"
            parts.append(f"{files} {words} ({', '.join(self._named_endings())})")
        # Not "1 the output folder": what is there once at most has no number.
        parts += [
            f"{number} {one if number == 1 else several}" if several else one
            for (one, several), number in self._kinds.items()
        ]
        return ", ".join(parts)

    def _named_endings(self) -> Iterator[str]:
        ranked = self._endings.most_common()
        for ending, number in ranked[:_KINDS_NAMED]:
            yield f"{number} {self._spellings[ending] or 'without an ending'}"
        rest = sum(number for _, number in ranked[_KINDS_NAMED:])
        if rest:
            yield f"{rest} with other endings"


def expand_home(argument: str) -> str:
    """A name whose leading ``~`` is the home folder; as it is where that is not known.

    A shell does this only at the start of a word, so not in ``--output=~/x``; a program does not do it at all.
    """
    if argument[:1] != "~" or argument[1:2] not in ("", "/", os.sep) or os.environ.get("HOME") == "":
        return argument
    expanded = os.path.expanduser(argument)  # noqa: PTH111  Path's raises where there is no home
    return expanded if PurePath(expanded).is_absolute() else argument


def find_pictures(
    arguments: Iterable[str], *, exclude: Path | None = None, left_out: LeftOut | None = None
) -> Iterator[Source]:
    """The pictures that files, folders and patterns stand for, in a stable order, each file once.

    In a folder, pictures are found by the ending of their name or else by their content. What is no picture, is hidden
    or cannot be one (a pipe, say) is passed over and counted.

    Args:
        arguments: Each a file (taken whatever its name), a folder (searched with all below it), a pattern with ``*``,
            ``?``, ``[...]`` and ``**``, a pipe, or ``-`` for standard input. A leading ``~`` is the home folder.
        exclude: A folder that is not searched: where the results go.
        left_out: Where to count what was passed over.

    Yields:
        Pictures; and for an argument, folder or file that cannot be read, its error, in its place.
    """
    excluded = os.path.realpath(exclude) if exclude else None
    left_out = LeftOut() if left_out is None else left_out
    seen: set[str] = set()
    for argument in arguments:
        for source in _expand(argument, excluded, left_out):
            if source.error is None:
                key = _identity(source)
                if key in seen:
                    left_out.count("named twice", "named twice")
                    continue
                seen.add(key)
            yield source


def read_piped(source: Source, limits: DecodingLimits) -> bytes:
    """The bytes of a source that is standard input or a pipe; they can be read only once.

    Raises:
        SourceError: It cannot be read, or has more bytes than the limit.
    """
    try:
        if str(source.path) in _STANDARD_INPUT:
            if sys.stdin is None or sys.stdin.closed:
                raise SourceError("standard input is closed; expected a picture from it", source=source.shown)
            data = _read_at_most(sys.stdin.buffer, limits.max_file_bytes + 1)
        else:
            with source.path.open("rb", buffering=0) as pipe:
                data = _read_at_most(pipe, limits.max_file_bytes + 1)
    except OSError as error:
        raise SourceError(f"cannot read {source.shown}: {error.strerror or error}", source=source.shown) from error
    if len(data) > limits.max_file_bytes:
        raise SourceError(
            f"{source.shown} gives more than the limit of {limits.max_file_bytes / 1e6:g} megabytes;"
            " raise max_file_bytes (--max-megabytes) to allow it",
            source=source.shown,
        )
    return data


def _read_at_most(stream: IO[bytes], most: int) -> bytes:
    parts, size = [], 0
    while size < most and (part := stream.read(min(1 << 20, most - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _identity(source: Source) -> str:
    """The same for two names of one picture."""
    if source.piped:
        status = _status_of_pipe(source.path)
        return f"pipe {status.st_dev} {status.st_ino}" if status else str(source.path)
    return os.path.realpath(source.path)


def _status_of_pipe(path: Path) -> os.stat_result | None:
    try:
        return os.fstat(0) if str(path) in _STANDARD_INPUT else path.stat()
    except OSError:
        return None


def _expand(argument: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    if not argument:
        yield _failed(argument, "an empty name was given; expected a file, a folder or a pattern")
        return
    if argument in _STANDARD_INPUT:
        yield Source(Path(argument), Path("stdin"), piped=True)
        return
    name = expand_home(argument)
    problem = ""
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a null byte in it, or no text at all
        mode = 0
        if not _is_nothing_there(error):
            problem = f"cannot read {_short(argument)}: {_reason(error)}"
    if stat.S_ISDIR(mode):
        yield from _walk(name, excluded, left_out)
    elif stat.S_ISREG(mode):
        yield _picture(Path(name), Path(Path(name).name))
    elif stat.S_ISFIFO(mode):
        own = Path(name).name
        yield Source(Path(name), Path(f"pipe-{own}" if own.isdecimal() else own), piped=True)  # 63, of /dev/fd/63
    elif mode:
        yield _failed(argument, f"{_short(argument)} is a {_kind(mode)}; expected a file, a folder or a pattern")
    elif argument[:5].lower() == "data:":
        yield _failed(argument, f"{_short(argument)} is a data URI; expected a file, so write its content to one first")
    elif "://" in argument:
        yield _failed(
            argument, f"{_short(argument)} is an address; expected a file on this machine, so download it first"
        )
    elif problem:
        yield _failed(argument, problem)
    elif glob.has_magic(argument):
        yield from _match(argument, name, excluded, left_out)
    else:
        yield _failed(argument, f"no such file or folder: {_short(argument)}")


def _is_nothing_there(error: OSError | ValueError) -> bool:
    return isinstance(error, OSError) and (
        error.errno in _NOTHING_THERE or getattr(error, "winerror", None) == _INVALID_NAME
    )


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _match(argument: str, pattern: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    found = False
    try:
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
    except (OSError, ValueError) as error:
        yield _failed(argument, f"cannot search for {_short(argument)}: {_reason(error)}")
        return
    for match in matches:
        path = Path(match)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if os.path.islink(match):  # noqa: PTH114  Path's may raise
                left_out.count("broken link", "broken links")
                continue
            found = True
            yield _failed(match, f"cannot read {match}: {_reason(error)}")
            continue
        if _is_below(path, excluded):
            left_out.count("in the output folder", "in the output folder")
        elif stat.S_ISREG(mode):
            found = True
            yield _picture(path, Path(path.name))
        elif stat.S_ISDIR(mode):
            left_out.count("folder that a pattern matches", "folders that a pattern matches")
        else:
            left_out.count(_kind(mode), f"{_kind(mode)}s")
    if not found:
        yield _failed(argument, f"no file matches {_short(argument)}")


def _is_below(path: Path, folder: str | None) -> bool:
    return folder is not None and Path(folder) in Path(os.path.realpath(path)).parents


def _walk(root: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    passed_over = LeftOut()
    found = False
    folders = [root]
    while folders:
        folder = folders.pop()
        entries, problem = _list(folder)
        subfolders = []
        for entry in entries:
            answer = _examine(entry, root, excluded, passed_over)
            if isinstance(answer, Source):
                found = True
                yield answer
            elif answer:
                subfolders.append(entry.path)
        if problem is not None:
            found = True
            yield _failed(folder, f"cannot read folder {folder}: {_reason(problem)}")
        folders += reversed(subfolders)
    left_out.add(passed_over)
    if not found:
        yield _failed(
            root, f"no picture in folder {root}" + (f", only {passed_over}" if passed_over else ", it is empty")
        )


def _list(folder: str) -> tuple[list[os.DirEntry[str]], OSError | None]:
    """What is in a folder, by name; and what stopped the listing, after which the rest is not known."""
    entries = []
    problem = None
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                entries.append(entry)  # noqa: PERF402  what came before an error counts
    except OSError as error:
        problem = error
    return sorted(entries, key=lambda entry: entry.name), problem


def _examine(entry: os.DirEntry[str], root: str, excluded: str | None, left_out: LeftOut) -> Source | bool:
    """The picture that an entry of a folder is; else whether to search it, as a folder."""
    name = entry.name
    if name.startswith("."):
        left_out.count("hidden", "hidden")
        return False
    try:
        if entry.is_dir(follow_symlinks=False):
            if excluded is not None and os.path.realpath(entry.path) == excluded:
                left_out.count("the output folder", "")
                return False
            return True
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:  # of a share that is gone
        return _failed(entry.path, f"cannot read {entry.path}: {_reason(error)}")
    if stat.S_ISLNK(mode):
        try:
            mode = Path(entry.path).stat().st_mode
        except OSError:  # it leads nowhere, or to itself
            left_out.count("broken link", "broken links")
            return False
        if stat.S_ISDIR(mode):  # it may lead to a folder above it, or out of what was asked for
            left_out.count("link to a folder", "links to folders")
            return False
    if not stat.S_ISREG(mode):
        left_out.count(_kind(mode), f"{_kind(mode)}s")
        return False
    ending = PurePath(name).suffix.lower()
    if ending in SUFFIXES or ending in _RAW:
        return _picture(Path(entry.path), Path(entry.path[len(root) :].lstrip(_SEPARATORS)))
    try:
        is_picture = picture_format(_head(entry.path)) is not None
    except OSError:
        left_out.count("file that cannot be opened", "files that cannot be opened")
        return False
    if is_picture:
        return _picture(Path(entry.path), Path(entry.path[len(root) :].lstrip(_SEPARATORS)))
    left_out.no_picture(name)
    return False


def _head(path: str) -> bytes:
    # Without blocking: a pipe may have taken the file's place since.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        return os.read(descriptor, _HEAD_BYTES)
    finally:
        os.close(descriptor)


def _picture(path: Path, name: Path) -> Source:
    if path.suffix.lower() in _RAW:
        return _failed(
            str(path), f"{path} is a camera's raw file, which is not developed; export it as JPEG, PNG or TIFF first"
        )
    return Source(path, name)


def _short(argument: str) -> str:
    if len(argument) <= _LONGEST_SHOWN:
        return argument
    half = _LONGEST_SHOWN // 2
    return f"{argument[:half]}...{argument[-half:]}"


def _failed(argument: str, message: str) -> Source:
    return Source(Path(argument), Path(argument), SourceError(message, source=argument))
