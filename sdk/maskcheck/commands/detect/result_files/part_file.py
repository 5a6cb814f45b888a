"""NAME.part: the file that a run writes, locked as long as it does, until it takes the place of NAME."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from maskcheck.commands.detect.result_files.journal import copy_without
from maskcheck.commands.detect.result_files.safe_files import PART, is_link, lock, put_in_place, write_all


class PartFile:
    """The journal of a run at work. What an earlier run has left in it stays until it is asked to go.

    Args:
        target: The file whose place it takes; no link.

    Attributes:
        path: The file.
        descriptor: It is open and locked under this number.

    Raises:
        InUse: Another run is writing it.
        OSError: It cannot be made, or is a link.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(target.name + PART)
        self._fresh = self.path.with_name(self.path.name + ".new")  # a copy on its way
        if is_link(self.path):
            raise OSError(f"{self.path} is a link, and links are not followed; remove it")
        self.descriptor = lock(self.path)

    @property
    def size(self) -> int:
        """Its bytes."""
        return os.fstat(self.descriptor).st_size

    def first_line(self) -> bytes:
        """Its first line, with its end if that is there."""
        with self.path.open("rb") as file:
            return file.readline()

    def append(self, data: bytes) -> None:
        """Write to its end.

        Raises:
            OSError: Not all could be written.
        """
        write_all(self.descriptor, data)

    def cut(self, size: int) -> None:
        """Cut it to so many bytes, and go on there."""
        os.ftruncate(self.descriptor, size)
        os.lseek(self.descriptor, size, os.SEEK_SET)

    def take_back(self) -> None:
        """Make it of what is in place: NAME gets the name NAME.part again."""
        self._replace_by(self._target)

    def leave_out(self, sources: Collection[str], end: int) -> int:
        """Replace it by a copy without the results of some sources; if that is killed, all of it is still there.

        Args:
            sources: Names of these sources.
            end: Where its results end, in bytes.

        Returns:
            Bytes of the copy.
        """
        with suppress(FileNotFoundError):
            self._fresh.unlink()
        with self._fresh.open("wb") as file:
            size = copy_without(self.path, end, sources, file)
        self._replace_by(self._fresh)
        self.cut(size)
        return size

    def copy(self, other: PartFile, end: int) -> int:
        """Add the results of another file, whose results end there, in bytes; the number of bytes is returned."""
        with os.fdopen(os.dup(self.descriptor), "wb") as file:
            return copy_without(other.path, end, (), file)

    def set_aside(self, name: Path) -> None:
        """Give what is there another name, and begin with an empty file."""
        put_in_place(self.path, name, self.descriptor)
        self.descriptor = lock(self.path)

    def put_in_place(self) -> None:
        """Let it take the place of NAME; it is closed."""
        put_in_place(self.path, self._target, self.descriptor)

    def close(self, *, remove: bool) -> None:
        """Close it, and leave it there or remove it."""
        if remove and os.name != "nt":  # which does not remove open files
            with suppress(OSError):
                self.path.unlink()
        os.close(self.descriptor)
        if remove and os.name == "nt":
            with suppress(OSError):
                self.path.unlink()

    def _replace_by(self, file: Path) -> None:
        previous = self.descriptor
        if os.name == "nt":  # which does not replace open files
            os.close(previous)
            file.replace(self.path)
            self.descriptor = lock(self.path)
        else:
            file.replace(self.path)
            self.descriptor = lock(self.path)
            os.close(previous)
