"""Standard input, output and error, which may be closed, have any encoding, or get what plugins print."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import IO, TextIO

import click

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


def prepare_standard_streams() -> None:
    """Make the standard streams safe to use, at the start of a command that owns its process.

    A stream that is closed is replaced by the null device; otherwise the next file that is opened would get its number,
    and what libraries print would go to that file. Characters that the encoding of standard output lacks are written as
    escapes.
    """
    for descriptor in (0, _STANDARD_OUTPUT, _STANDARD_ERROR):
        try:
            os.fstat(descriptor)
        except OSError:  # closed; opening gives the lowest number that is free, which is this one
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def own_standard_output() -> Iterator[IO[str]]:
    """Standard output for the caller alone: what anything else prints meanwhile goes to standard error.

    That includes native libraries, as the file descriptor itself is redirected. For a command that owns its process.

    Yields:
        A stream in UTF-8, which the caller must flush.

    Raises:
        click.UsageError: Standard output is closed.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise click.UsageError("standard output is closed, so nothing can be written there; give a file instead of -")
    if not _is_descriptor_1(sys.stdout):  # replaced by a program that calls the command in its own process
        stream = sys.stdout
        with redirect_stdout(sys.stderr):
            yield stream
            stream.flush()
        return
    sys.stdout.flush()
    private = os.dup(_STANDARD_OUTPUT)
    stream = open(private, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False)  # noqa: SIM115
    os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)
    try:
        yield stream
        stream.flush()
    finally:
        with suppress(OSError):  # the reader of a pipe has ended, and writing the last line has failed already
            stream.close()
        with suppress(OSError):
            sys.stdout.flush()  # while it is still redirected to standard error
        os.dup2(private, _STANDARD_OUTPUT)
        os.close(private)


def _is_descriptor_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() == _STANDARD_OUTPUT
    except (OSError, ValueError):  # not a file
        return False
