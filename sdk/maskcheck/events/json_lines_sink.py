"""Events as lines of JSON, in a file or on a stream."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from typing import IO

from maskcheck.events.delivery import Sink
from maskcheck.events.event import Event


class JSONLinesSink(Sink):
    """Writes each event as a line of JSON, at once. A file holds whole lines only, also where the disk is full.

    After events were dropped, the next line has the key ``dropped_before``, with their number.

    Args:
        target: A path, or a stream of text or a file descriptor, which is not closed.
        append: Whether to keep what a file holds.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, target: str | os.PathLike[str] | IO[str] | int, *, append: bool = False) -> None:
        self._stream: IO[str] | None = None
        self._descriptor = -1
        self._own = False
        if isinstance(target, int):
            self.name, self._descriptor = f"file descriptor {target}", target
        elif isinstance(target, (str, os.PathLike)):
            self.name = os.fsdecode(target)
            # Not through Python's buffers, whose lock a thread that hangs in a pipe would hold at the program's end.
            flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
            self._descriptor, self._own = os.open(target, flags, 0o666), True
        else:
            self.name = str(getattr(target, "name", "stream"))
            try:
                self._descriptor = target.fileno()
            except (AttributeError, OSError, ValueError):  # no file: it is in memory
                self._stream = target
            else:
                target.flush()

    def send(self, event: Event, *, dropped: int) -> None:
        """Write a line, and hand it to the system."""
        content = event.to_dict()
        if dropped:
            content["dropped_before"] = dropped
        line = json.dumps(content, allow_nan=False) + "\n"
        if self._stream is not None:
            self._stream.write(line)
            self._stream.flush()
        else:
            self._write(line.encode("ascii"))

    def close(self, timeout: float = 0.0) -> None:  # noqa: ARG002
        """Close the file, if it was opened here."""
        if self._own:
            os.close(self._descriptor)
            self._own = False

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            written = len(line) - len(left)
            if written and self._own:
                with suppress(OSError):
                    self._take_back(written)
            raise

    def _take_back(self, count: int) -> None:
        status = os.fstat(self._descriptor)
        if stat.S_ISREG(status.st_mode):
            os.ftruncate(self._descriptor, status.st_size - count)
            os.lseek(self._descriptor, 0, os.SEEK_END)
