"""Files that list sources: ``@list.txt``."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding.files import read_up_to
from maskcheck.sources.source import reason
from maskcheck.texts import shortened_path

_MOST_BYTES = 500_000_000
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def is_list(argument: str) -> bool:
    """Whether an argument is a list, ``@FILE``. A file whose name begins with ``@`` is not."""
    return len(argument) > 1 and argument[0] == "@" and not _exists(argument)


def read_list(argument: str) -> list[str]:
    """The sources in a list: one per line, written as on the command line, with paths relative to the current folder.

    Empty lines and lines that begin with ``#`` are ignored. A list cannot name another list. Text is UTF-8, or UTF-16
    with a byte order mark.

    Args:
        argument: ``@FILE``, or ``@-`` for standard input. The caller replaces a leading ``~`` of FILE.

    Raises:
        SourceError: The list cannot be read, is too large, is not text, or names no source.
    """
    path = argument[1:]
    shown = "standard input" if path == "-" else shortened_path(path)
    try:
        content = _read(path)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read the list {shown}: {reason(error)}", source=argument) from None
    if len(content) > _MOST_BYTES:
        raise SourceError(f"the list {shown} has more than {_MOST_BYTES / 1e6:g} megabytes", source=argument)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in content:
        raise SourceError(f"the list {shown} is not text; expected a path or address on each line", source=argument)
    # File names may contain bytes that are not valid text; Python represents them as surrogates.
    text = content.decode(encoding, "replace" if encoding == "utf-16" else "surrogateescape")
    lines = [line for line in map(str.strip, text.split("\n")) if line and not line.startswith("#")]
    if not lines:
        raise SourceError(f"the list {shown} is empty; expected a path or address on each line", source=argument)
    return lines


def _read(path: str) -> bytes:
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise ValueError("it is closed")
        return read_up_to(sys.stdin.buffer.read, _MOST_BYTES + 1)
    with Path(path).open("rb", buffering=0) as file:
        return read_up_to(file.read, _MOST_BYTES + 1)


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):
        return False
