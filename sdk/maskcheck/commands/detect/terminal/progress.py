"""The line that says how far a run is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from time import monotonic
from typing import IO

from maskcheck.commands.console import is_terminal
from maskcheck.commands.detect.terminal.speed import Speed
from maskcheck.recording.clock import clock
from maskcheck.results import FrameResult
from maskcheck.sources.reader import FrameReader

_EVERY = 0.2  # seconds between two updates
_SURE_AFTER = 2.0  # seconds after which the time left is shown


class Progress:
    """How far a run is, on one line of a terminal at standard error; nothing elsewhere.

    Args:
        total: Sources in all; 0 for no line.
        stream: Another stream than standard error.
        now: Gives the time, in seconds.
    """

    def __init__(self, total: int, *, stream: IO[str] | None = None, now: Callable[[], float] = monotonic) -> None:
        stream = sys.stderr if stream is None else stream
        self._stream = stream if is_terminal(stream) and total > 0 else None
        self._total = total
        self._done = self._before = 0
        self._now = now
        self._started = self._shown = now()
        self._length = 0
        self._speeds: dict[str, Speed] = {}  # of each camera, or of the video that is read

    def start_from(self, done: int) -> None:
        """Say how many sources an earlier run has done, which say nothing of the speed of this one."""
        self._done = self._before = done
        self._started = self._now()

    def show(self, done: int) -> None:
        """Say how many sources are done; only where there are several."""
        if done != self._done:
            self._done, self._speeds = done, {}
        if self._total < 2 or not self._is_due():
            return
        text = f"{done} of {self._total}"
        passed = self._now() - self._started
        if done > self._before and passed > _SURE_AFTER:
            left = passed / (done - self._before) * (self._total - done)
            text += f", about {_duration(left)} left"
        self._write(text)

    def show_video(self, reader: FrameReader, result: FrameResult, frames: int, *, end: float | None = None) -> None:
        """Say how far a video is: ``0:12 of 1:03, 31 frames/s, 0:22 left``.

        Args:
            reader: Reads it.
            result: The result of its last frame.
            frames: Results in all.
            end: Where it ends, in seconds, if that is before the end of its file.
        """
        if self._stream is None:
            return
        if not reader.is_live and reader.name not in self._speeds:
            self._speeds.clear()  # one file is read after the other
        speed = self._speeds.setdefault(reader.name, Speed())
        speed.add(self._now(), frames, result.time or 0.0)
        if self._is_due():
            self._write(self._of_cameras() if len(self._speeds) > 1 else self._of_video(reader, result, frames, end))

    def clear(self) -> None:
        """Remove the line, so that another can be printed in its place."""
        if self._stream is not None and self._length:
            self._stream.write("\r" + " " * self._length + "\r")  # not every Windows console knows escape sequences
            self._stream.flush()
            self._length = 0

    def _of_video(self, reader: FrameReader, result: FrameResult, frames: int, end: float | None) -> str:
        speed, time = self._speeds[reader.name], result.time
        length = None if reader.is_live or reader.info is None else reader.info.duration
        if end is not None:
            length = end if length is None else min(length, end)
        parts = []
        if time is not None:
            parts.append(clock(time) if length is None else f"{clock(min(time, length))} of {clock(length)}")
        if length is None:
            parts.append(f"{frames:,} frame{'' if frames == 1 else 's'}")
        parts += speed.texts()
        if length is not None and time is not None and speed.seconds > _SURE_AFTER and speed.pace > 0:
            parts.append(f"{clock(max(0.0, length - time) / speed.pace)} left")
        before = f"{self._done + 1} of {self._total}: " if self._total > 1 and not reader.is_live else ""
        return before + ", ".join(parts)

    def _of_cameras(self) -> str:
        rates = [speed.rate for speed in self._speeds.values()]
        rate = f"{sum(rates):.0f} frames/s" if min(rates) > 0 else "..."
        return f"{len(rates)} sources, {clock(self._now() - self._started)}, {rate}"

    def _is_due(self) -> bool:
        return self._stream is not None and not (self._length and self._now() - self._shown < _EVERY)

    def _write(self, text: str) -> None:
        assert self._stream is not None
        # A line that is broken cannot be removed.
        text = text[: shutil.get_terminal_size().columns - 1]
        self._shown = self._now()
        self.clear()
        self._stream.write(text)
        self._stream.flush()
        self._length = len(text)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
