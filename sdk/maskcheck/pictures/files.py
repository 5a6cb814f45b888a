"""Files: the bytes of an encoded picture, from a path or an open file, within the limit.

Only regular files are read: a named pipe or a device may never end, or never begin.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from maskcheck.errors import ImageError, ImageTooLarge
from maskcheck.pictures.limits import DecodingLimits

HEAD_BYTES = 64  # enough to tell a format by
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Without blocking: opening a pipe that nobody writes to would wait for ever, should one take the file's place.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


def path_text(path: str | os.PathLike[Any]) -> str:
    """The path as plain text, however a program holds it; bytes that are no text become surrogates.

    Raises:
        ImageError: The object gives no path.
    """
    try:
        return str.__str__(os.fsdecode(path))  # a subclass of str may have a __str__ of its own
    except Exception as error:  # whatever the object's own __fspath__ raises
        raise ImageError(f"expected a path, but this {type(path).__name__} gives none: {error}") from error


def read_path(path: str, limits: DecodingLimits, known: Callable[[bytes], bool]) -> bytes:
    """The content of a regular file.

    Args:
        path: Where it is.
        limits: ``max_file_bytes`` holds before the file is read.
        known: Whether a file that begins with these bytes may be a picture; if not, no more is read.

    Raises:
        ImageError: It is missing, cannot be read or is no regular file.
        ImageTooLarge: It has too many bytes.
    """
    try:
        _check_kind(Path(path).stat().st_mode, path)  # before opening: that may move a tape or reset a board
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            _check_kind(status.st_mode, path)
            _check_bytes(status.st_size, limits, path)
            head = _read_up_to(file.read, HEAD_BYTES)
            if not known(head):
                return head
            data = head + _read_up_to(file.read, limits.max_file_bytes + 1 - len(head), status.st_size - len(head))
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(_reason(error, path), source=path) from (None if error.errno == errno.ENOENT else error)
    except ValueError as error:  # a null byte in the name, or a surrogate that no file name has
        raise ImageError(f"cannot read {path!r}: {error}", source=path) from error
    _check_bytes(len(data), limits, path)  # it may have grown
    return data


def read_open(file: IO[bytes], limits: DecodingLimits, source: str | None) -> bytes:
    """What is left to read of an open binary file, which stays open.

    Raises:
        ImageError: It cannot be read, or gives text.
        ImageTooLarge: It has too many bytes; it was read no further.
    """
    try:
        data = _read_up_to(file.read, limits.max_file_bytes + 1)
    except ImageError:
        raise
    except Exception as error:  # a foreign object's read() may raise anything
        raise ImageError(f"cannot read {source or 'the open file'}: {error}", source=source) from error
    _check_bytes(len(data), limits, source)
    return data


def _read_up_to(read: Callable[[int], Any], most: int, expected: int = 0) -> bytes:
    pieces: list[bytes] = []
    left = most
    while left > 0:
        # One byte more than expected shows the end; what is asked for in one call is allocated at once.
        piece = read(min(left, max(expected + 1, 1 << 20)))
        if isinstance(piece, str):
            raise ImageError("expected a file opened in binary mode ('rb'), but reading this one gives text")
        if not piece:
            break
        pieces.append(bytes(piece))
        left -= len(piece)
        expected -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _check_kind(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
        raise ImageError(f"expected a picture file, but this is {kind}: {path}", source=path)


def _check_bytes(size: int, limits: DecodingLimits, source: str | None) -> None:
    if size > limits.max_file_bytes:
        raise ImageTooLarge(
            f"{source or 'the file'} has {'over ' if source is None else ''}{min(size, 10**18) / 1e6:.1f} MB, more than"
            f" the limit of {limits.max_file_bytes / 1e6:.1f}; raise max_file_bytes (--max-megabytes) to allow it",
            source=source,
            pixels=0,
            limit=limits.max_file_bytes,
            what="max_file_bytes",
        )


def _reason(error: OSError, path: str) -> str:
    if error.errno == errno.ENOENT:
        return f"no such file: {path}"
    shown = path if len(path) <= 200 else f"{path[:100]}...{path[-100:]}"  # a data URI may have a million characters
    return f"cannot read {shown}: {error.strerror or error}"
