"""Pictures from standard input and named pipes, which can be read only once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding.files import read_up_to
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.source import Source

_STANDARD_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


def read_piped(source: Source, limits: DecodingLimits) -> bytes:
    """The bytes of a source that is standard input or a pipe.

    Raises:
        SourceError: It cannot be read, or has more bytes than ``max_file_bytes``.
    """
    most, name = limits.max_file_bytes, source.display_name
    try:
        if is_standard_input(str(source.path)):
            if sys.stdin is None or sys.stdin.closed:
                raise SourceError("expected a picture from standard input, but it is closed", source=name)
            data = read_up_to(sys.stdin.buffer.read, most + 1)
        else:
            with source.path.open("rb", buffering=0) as pipe:
                data = read_up_to(pipe.read, most + 1)
    except OSError as error:
        raise SourceError(f"cannot read {name}: {error.strerror or error}", source=name) from error
    if len(data) > most:
        raise SourceError(
            f"{name} has more than the limit of {most / 1e6:g} megabytes;"
            " raise max_file_bytes (--max-megabytes) to allow it",
            source=name,
        )
    return data


def is_standard_input(argument: str) -> bool:
    """Whether this argument or path means standard input."""
    return argument in _STANDARD_INPUT


def pipe_identity(path: Path) -> str:
    """A text that identifies a pipe, whatever name it is given."""
    try:
        status = os.fstat(0) if is_standard_input(str(path)) else path.stat()
    except OSError:
        return str(path)
    return f"pipe {status.st_dev} {status.st_ino}"
