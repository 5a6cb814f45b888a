"""The table of ``maskcheck detect``: each row is printed when its result comes, so no result is kept."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import IO

import click

from maskcheck.commands.console import is_terminal, printable
from maskcheck.results import FrameResult

_MAX_NAME_WIDTH = 100  # without a window; the columns of a picture with a longer name start further right
_MIN_NAME_WIDTH = 20
_OTHER_COLUMNS = 42  # characters of a window that the other columns get
_GAP = "  "


class RunningTable:
    """A table that gets its rows one by one.

    On a terminal, long names and messages are wrapped within their column; elsewhere, each picture has one line.

    Args:
        stream: Where to print; None for nowhere.
        names: Names of all pictures: the longest sets the width of their column.
        keep_working: Whether the run goes on when the reader of the table ends early, as `head` does.
    """

    def __init__(self, stream: IO[str] | None, names: Iterable[str], *, keep_working: bool) -> None:
        self._stream = stream
        self._keep_working = keep_working
        if stream is None:
            return
        self._window = shutil.get_terminal_size().columns if is_terminal(stream) else None
        widest = _MAX_NAME_WIDTH if self._window is None else max(_MIN_NAME_WIDTH, self._window - _OTHER_COLUMNS)
        self._width = len("picture")
        for name in names:
            self._width = max(self._width, min(widest, _cells(printable(name))))
        self._row("picture", "faces", "ms", "labels", "")

    def add(self, result: FrameResult, labels: Counter[str], problem: str = "") -> None:
        """Print the row of a result.

        Args:
            result: The result.
            labels: How many of its faces have each label.
            problem: Why its annotated copy was not written.
        """
        if self._stream is None:
            return
        name = printable(result.source or "")
        if result.error is not None:
            self._row(name, "-", "-", printable(f"{type(result.error).__name__}: {result.error}"), "red")
            return
        text = _list(labels) or "no face"
        if result.notes:
            text += "".join(f" ({printable(note)})" for note in result.notes)
        if problem:
            text += f" ({printable(problem)})"
        self._row(name, str(len(result)), f"{result.timings.total:.0f}", text, "red" if problem else "")

    def add_video(
        self,
        name: str,
        people: Counter[str],
        frames: int,
        seconds: float,
        *,
        notes: Sequence[str] = (),
        problem: str = "",
        error: str = "",
    ) -> None:
        """Print the row of a video: how many people there are, and how long a frame took.

        Args:
            name: The video.
            people: How many people have each label.
            frames: Frames that were worked on.
            seconds: Time that this took.
            notes: What is not as one may expect.
            problem: What was not written, and why.
            error: Why it ended early; empty if it did not.
        """
        if self._stream is None:
            return
        rate = frames / seconds if seconds else 0.0
        speed = f"{rate:.0f}" if rate >= 9.5 else f"{rate:.1f}"
        text = _list(people) or "nobody"
        if rate:
            text += f" ({frames:,} {'frame' if frames == 1 else 'frames'}, {speed} a second)"
        for words in (*notes, error, problem):
            text += f" ({printable(words)})" if words else ""
        time = f"{seconds / frames * 1000:.0f}" if frames else "-"
        self._row(printable(name), str(people.total()), time, text, "red" if error or problem else "")

    def close(self, *lines: str) -> None:
        """Print the lines below the rows."""
        for line in lines:
            self._print(printable(line))

    def _row(self, name: str, faces: str, time: str, text: str, colour: str) -> None:
        numbers = f"{_GAP}{faces:>5}{_GAP}{time:>5}{_GAP}"
        padding = " " * (self._width - _cells(name))
        if self._window is None:
            self._print(f"{name}{padding}{numbers}{text}")
            return
        if _cells(name) > self._width:  # on its own line, and whole, so that it can be copied
            self._print(name)
            name, padding = "", " " * self._width
        indent = self._width + len(numbers)
        if colour and _cells(text) > self._window - indent - 1:  # an error: below, where there is more room
            self._print(f"{name}{padding}{numbers}".rstrip())
            for line in textwrap.wrap(text, max(20, self._window - 5), break_on_hyphens=False):
                self._print("    " + _coloured(line, colour))
            return
        first, *more = textwrap.wrap(text, max(20, self._window - indent - 1), break_on_hyphens=False) or [""]
        self._print(f"{name}{padding}{numbers}{_coloured(first, colour)}")
        for line in more:
            self._print(" " * indent + _coloured(line, colour))

    def _print(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            click.echo(line, file=self._stream)
        except OSError as error:
            if error.errno != errno.EPIPE or not self._keep_working:
                raise
            self._stream = None
            _discard_standard_output()


def _list(labels: Counter[str]) -> str:
    return ", ".join(f"{count} {printable(label)}" for label, count in sorted(labels.items()))


def _coloured(text: str, colour: str) -> str:
    return click.style(text, fg=colour) if colour and not os.environ.get("NO_COLOR") else text


def _cells(text: str) -> int:
    """Columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _discard_standard_output() -> None:
    """Send what is still to be printed to the null device, or the end of the process would fail on it."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
