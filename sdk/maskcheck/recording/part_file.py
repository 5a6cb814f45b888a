"""The file that a video is written to: it is valid at any moment, and put in place whole."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_BOX_HEADER = 8  # bytes: size and kind


class PartFile:
    """``NAME.part``, as a muxer writes it. A muxer calls :meth:`write`, :meth:`seek` and :meth:`tell`.

    At the end, a muxer of MP4 appends the table of contents and then turns the fragments before it into one block, by
    overwriting the beginning. That is held back until the table is written: if the disk is full by then, or the process
    is killed, the file is as valid as it was before.

    Args:
        target: Where the file goes at last.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._target = target
        with suppress(FileNotFoundError):
            self.path.unlink()
        self._file = io.FileIO(os.open(self.path, _NEW | _NO_LINK, 0o666), "r+")
        self._position = 0
        self._size = 0
        self._held: list[tuple[int, bytes]] | None = None
        self.closed = False
        """Whether what is written is thrown away, which is so after :meth:`stop`."""

    def write(self, data: bytes) -> int:
        """Write at the position; all of `data`."""
        if self.closed:
            return len(data)
        if self._held is not None and self._position < self._size:
            self._held.append((self._position, bytes(data)))
        else:
            self._write(self._position, data)
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def begin_end(self) -> None:
        """From now on, what lies before the end of the file is overwritten only by :meth:`finish_end`."""
        self._held = []

    def finish_end(self) -> None:
        """Write what was held back, and take no more."""
        held, self._held = self._held, None
        for position, data in held or ():
            self._write(position, data)
        self.closed = True

    def stop(self) -> None:
        """Throw away what the muxer writes from now on, as after an error: the file stays as it is."""
        self.closed = True
        self._held = None

    def put_in_place(self) -> None:
        """Give the file its name.

        Raises:
            OSError: It cannot be moved.
        """
        self.closed = True
        self._file.close()
        self.path.replace(self._target)

    def cut(self) -> bool:
        """Cut an MP4 that ends in the middle of a fragment to its whole ones.

        Returns:
            Whether there are any.
        """
        self.closed = True
        end = _end_of_fragments(self._file)
        if end is None:
            return False
        with suppress(OSError):
            self._file.truncate(end)
        return True

    def remove(self) -> None:
        """Delete it."""
        self.closed = True
        self._file.close()
        with suppress(FileNotFoundError):
            self.path.unlink()

    def _write(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        rest = memoryview(data)
        while rest:  # a disk that is nearly full takes a part, and refuses the next
            rest = rest[self._file.write(rest) :]


def _end_of_fragments(file: io.FileIO) -> int | None:
    """Where the last whole fragment of an MP4 ends; None without one."""
    size = file.seek(0, os.SEEK_END)
    position, end, kind = 0, None, b""
    while position + _BOX_HEADER <= size:
        file.seek(position)
        header = file.read(2 * _BOX_HEADER)
        before, kind = kind, header[4:8]
        length = int.from_bytes(header[8:16] if header[:4] == b"\0\0\0\1" else header[:4], "big")
        if length < _BOX_HEADER or position + length > size:
            break
        position += length
        if (before, kind) == (b"moof", b"mdat"):  # what is in it, and the data
            end = position
    return end
