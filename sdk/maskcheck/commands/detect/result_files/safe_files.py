"""Files that are written whole or not at all, not through links, and by one run at a time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:
    msvcrt = None  # type: ignore[assignment]

PART = ".part"
"""Ending of a file that is being written."""

KILLED = ".killed"
"""Ending of the results of a run that was killed, once another run has begun instead of continuing it."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_LOCKED_BYTE = 0x7FFF0000  # beyond what is written
_TEMPORARY = ".maskcheck.part"
_TAKEN = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK})


class InUse(OSError):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the context is open; when the process ends, the system releases it.

    On a file system without locks, nothing is locked.

    Raises:
        InUse: Another process holds it.
        OSError: The file cannot be made.
    """
    descriptor = lock(path)
    try:
        yield
    finally:
        if os.name == "nt":  # which does not remove open files
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
        else:
            with suppress(OSError):
                path.unlink()  # before the lock is released: `lock` looks whether the file is still there
            os.close(descriptor)


def lock(path: Path) -> int:
    """Open and lock a file, which is made if it does not exist; closing the descriptor releases the lock.

    Raises:
        InUse: Another process holds it.
        OSError: The file cannot be made, or is a link.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            elif msvcrt is not None:
                os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)  # others cannot read a byte that is locked
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                os.lseek(descriptor, 0, os.SEEK_SET)
        except OSError as error:
            if error.errno in _TAKEN:
                os.close(descriptor)
                raise InUse(error.errno, "in use by another process", str(path)) from None
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)  # whoever held the lock removed the file


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, or on Windows a junction."""
    is_junction = getattr(os.path, "isjunction", None)  # from Python 3.12
    return path.is_symlink() or (is_junction is not None and is_junction(path))


def refuse_links(folder: Path, target: Path) -> None:
    """Check that neither a file in a folder is a link, nor a folder on the way to it.

    Raises:
        OSError: There is a link; its ``filename`` names it.
    """
    here = folder
    for part in target.relative_to(folder).parts:
        here = here / part
        if is_link(here):
            raise OSError(errno.ELOOP, "it is a link, and links in the output folder are not followed", str(here))


def write_whole(target: Path, data: bytes, *, temporary: Path | None = None) -> None:
    """Write a file so that, whatever happens, either all of it is there or what was there before.

    Args:
        target: The file. If it is a link, the link is replaced.
        data: Its content.
        temporary: The file beside it that is written first; by default, the same one for all files of the folder.

    Raises:
        OSError: It cannot be written; its ``filename`` is the target.
    """
    temporary = target.with_name(_TEMPORARY) if temporary is None else temporary
    try:
        with open(create_anew(temporary), "wb") as file:
            file.write(data)
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror or str(error), str(target)) from error


def create_anew(path: Path) -> int:
    """Open a new file for writing; a file or link of that name is removed first.

    Raises:
        OSError: It cannot be made.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)


def put_in_place(part: Path, target: Path, descriptor: int) -> None:
    """Move a file that is written and locked to its place, and close it.

    Raises:
        OSError: It cannot be moved, and keeps its old name.
    """
    try:
        if os.name == "nt":  # which does not move open files
            os.close(descriptor)
            descriptor = -1
        part.replace(target)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def is_regular(path: Path) -> bool:
    """Whether a path leads to a regular file: no folder, pipe or device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes to the system at once, so that they stay if the process is killed.

    Raises:
        OSError: Not all could be written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
