"""The table of ``maskcheck detect``: rows are printed as results come, so that it needs no memory of them."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable
from time import monotonic
from typing import IO

import click

from maskcheck.commands.console import is_terminal, printable
from maskcheck.results import FrameResult, count_labels

_WIDEST_NAME = 100  # where there is no window: a longer name pushes its own row alone
_LEAST_NAME = 20
_BESIDE_NAME = 42  # characters of a window that the other columns get
_GAP = "  "


class Tally:
    """Counts of a run.

    Args:
        min_confidence: Faces below it are counted as unsure.
        fail_on: Labels that make the run fail.
    """

    def __init__(self, min_confidence: float = 0.0, fail_on: Iterable[str] = ()) -> None:
        self._min_confidence = min_confidence
        self._fail_on = frozenset(fail_on)
        self.pictures = 0
        self.failed = 0
        self.labels: Counter[str] = Counter()
        self.alarmed = False
        self.unwritten = 0

    def count(self, result: FrameResult) -> Counter[str]:
        """Count a result; gives how many of its faces have each label, or are unsure."""
        labels = count_labels([result], min_confidence=self._min_confidence)
        self.labels += labels
        if result.error is None:
            self.pictures += 1
        else:
            self.failed += 1
        self.alarmed |= not self._fail_on.isdisjoint(labels)
        return labels

    @property
    def done(self) -> int:
        """Pictures that have a result, failed ones included."""
        return self.pictures + self.failed

    @property
    def something_failed(self) -> bool:
        """Whether the exit status is to say so."""
        return bool(self.failed or self.unwritten or self.alarmed)

    def __str__(self) -> str:
        faces = self.labels.total()
        text = f"{_plural(self.pictures, 'picture')}, {_plural(faces, 'face')}"
        if self.failed:
            text += f", {self.failed} failed"
        if self.unwritten:
            text += f", {self.unwritten} not annotated"
        return text


class RunningTable:
    """A table whose rows come one by one.

    On a terminal, long names and messages are wrapped below their column; elsewhere, each picture has one line.

    Args:
        stream: Where to print; None for nowhere.
        names: Names of all pictures, which the width of their column depends on.
        keep_working: Whether the run is of use when the reader of the table has gone, as `head` does.
    """

    def __init__(self, stream: IO[str] | None, names: Iterable[str], *, keep_working: bool) -> None:
        self._stream = stream
        self._keep_working = keep_working
        if stream is None:
            return
        self._window = shutil.get_terminal_size().columns if is_terminal(stream) else None
        widest = _WIDEST_NAME if self._window is None else max(_LEAST_NAME, self._window - _BESIDE_NAME)
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

    def close(self, *lines: str) -> None:
        """Print what follows the rows."""
        for line in lines:
            self._print(printable(line))

    def _row(self, name: str, faces: str, time: str, text: str, colour: str) -> None:
        beside = f"{_GAP}{faces:>5}{_GAP}{time:>5}{_GAP}"
        padding = " " * (self._width - _cells(name))
        if self._window is None:
            self._print(f"{name}{padding}{beside}{text}")
            return
        if _cells(name) > self._width:  # whole, on a line of its own: a path that is cut cannot be copied
            self._print(name)
            name, padding = "", " " * self._width
        indent = self._width + len(beside)
        if colour and _cells(text) > self._window - indent - 1:  # an error: below, where there is more room
            self._print(f"{name}{padding}{beside}".rstrip())
            for line in textwrap.wrap(text, max(20, self._window - 5), break_on_hyphens=False):
                self._print("    " + _coloured(line, colour))
            return
        first, *more = textwrap.wrap(text, max(20, self._window - indent - 1), break_on_hyphens=False) or [""]
        self._print(f"{name}{padding}{beside}{_coloured(first, colour)}")
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


class Progress:
    """How far a run is, on one line of a terminal at standard error; nothing elsewhere.

    Args:
        total: Pictures in all.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = self._shown = monotonic()
        self._stream = sys.stderr if is_terminal(sys.stderr) and total > 1 else None
        self._length = 0

    def show(self, done: int) -> None:
        """Write the line anew, a few times a second at most."""
        now = monotonic()
        if self._stream is None or (self._length and now - self._shown < 0.2):
            return
        self._shown = now
        text = f"{done} of {self._total}"
        if done and now - self._started > 2:
            text += f", about {_duration((now - self._started) / done * (self._total - done))} left"
        self.clear()
        self._stream.write(text)
        self._stream.flush()
        self._length = len(text)

    def clear(self) -> None:
        """Take the line away, so that another can be printed in its place."""
        if self._stream is not None and self._length:
            self._stream.write("\r" + " " * self._length + "\r")  # not every Windows console knows escape sequences
            self._stream.flush()
            self._length = 0


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
    """What is still to be printed goes nowhere, so that the end of the process does not fail on it."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
