"""Reading the bytes of an encoded picture, from a path or an open file, up to the size limit.

Of paths, only regular files are read: a named pipe or a device may never end, or never begin.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from maskcheck.errors import ImageError
from maskcheck.pictures.decoding.limit_checks import check_file_size
from maskcheck.pictures.formats import HEAD_BYTES
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.texts import shortened_path

_CHUNK = 1 << 20  # bytes of a read
# Opening a pipe that nobody writes to would block forever; one may replace a file just before it is opened.
_OPEN_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _OPEN_FLAGS |= getattr(os, _name, 0)


def path_text(path: str | os.PathLike[Any]) -> str:
    """The path as a plain ``str``; bytes that are not valid text become surrogates.

    Raises:
        ImageError: The object gives no path.
    """
    try:
        return str.__str__(os.fsdecode(path))  # a subclass of str may have a __str__ of its own
    except Exception as error:  # whatever the object's __fspath__ raises
        raise ImageError(f"expected a path, but this {type(path).__name__} gives none: {error}") from error


def read_path(path: str, limits: DecodingLimits, may_be_a_picture: Callable[[bytes], bool]) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        limits: ``max_file_bytes`` is checked before the file is read.
        may_be_a_picture: Called with the first :data:`HEAD_BYTES` bytes. If it answers no, only these are returned.

    Raises:
        ImageError: The file is missing, cannot be read or is not a regular file.
        ImageTooLarge: It has too many bytes.
    """
    try:
        _check_is_regular(Path(path).stat().st_mode, path)  # before opening, which may rewind a tape or reset a board
        with open_without_blocking(path) as file:
            status = os.fstat(file.fileno())
            _check_is_regular(status.st_mode, path)
            check_file_size(status.st_size, limits, path)
            head = read_up_to(file.read, HEAD_BYTES)
            if not may_be_a_picture(head):
                return head
            data = head + read_up_to(file.read, limits.max_file_bytes + 1 - len(head), status.st_size - len(head))
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(_reason(error, path), source=path) from (None if error.errno == errno.ENOENT else error)
    except ValueError as error:  # the name has a null byte, or a surrogate that no file name has
        raise ImageError(f"cannot read {path!r}: {error}", source=path) from error
    check_file_size(len(data), limits, path, at_least=True)  # it may have grown
    return data


def read_open_file(file: IO[bytes], limits: DecodingLimits, source: str | None) -> bytes:
    """The rest of a file that is open in binary mode. The file stays open.

    Raises:
        ImageError: It cannot be read, or is open in text mode.
        ImageTooLarge: It has too many bytes. It is read just far enough to know.
    """
    try:
        data = read_up_to(file.read, limits.max_file_bytes + 1)
    except ImageError:
        raise
    except Exception as error:  # the read() of a caller's object may raise anything
        raise ImageError(f"cannot read {source or 'the open file'}: {error}", source=source) from error
    check_file_size(len(data), limits, source, at_least=True)
    return data


def open_without_blocking(path: str) -> IO[bytes]:
    """A file, opened unbuffered for reading; opening and reading a pipe does not wait for a writer."""
    return os.fdopen(os.open(path, _OPEN_FLAGS), "rb", buffering=0)


def read_up_to(read: Callable[[int], Any], most: int, expected: int = 0) -> bytes:
    """Read until the end or `most` bytes.

    Args:
        read: A file's ``read``, which may return fewer bytes than it is asked for.
        most: Bytes to read at most.
        expected: Bytes that probably follow, which saves calls.

    Raises:
        ImageError: The file gives text.
    """
    chunks: list[bytes] = []
    left = most
    while left > 0:
        # One byte more than expected finds the end in the same call. Each call allocates all that it asks for.
        chunk = read(min(left, max(expected + 1, _CHUNK)))
        if isinstance(chunk, str):
            raise ImageError("expected a file opened in binary mode ('rb'), but reading this one gives text")
        if not chunk:
            break
        chunks.append(bytes(chunk))
        left -= len(chunk)
        expected -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def file_kind(mode: int) -> str:
    """What a path is that is not a regular file: ``folder``, ``pipe``, ``socket`` or ``device``."""
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _check_is_regular(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        raise ImageError(f"expected a picture file, but this is a {file_kind(mode)}: {path}", source=path)


def _reason(error: OSError, path: str) -> str:
    if error.errno == errno.ENOENT:
        return f"no such file: {path}"
    return f"cannot read {shortened_path(path)}: {error.strerror or error}"
