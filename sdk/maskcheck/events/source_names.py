"""Short names of sources, for file names and topics."""

from __future__ import annotations

import re
from itertools import count
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

_MAX_CHARACTERS = 60


def short_name(source: str | None) -> str:
    """A name of letters, digits, ``_`` and ``-``: of a file its name without the ending, of an address host and path.

    Passwords, and everything else but host and path, are left out. Different sources may have the same short name.

    Args:
        source: Path or address; None gives ``camera``.
    """
    if source is None:
        return "camera"
    if "://" in source:
        parts = urlsplit(source)
        host = parts.netloc.rpartition("@")[2]
        text = f"{host}{parts.path}"
    elif source.isdecimal():  # the number of a webcam
        text = f"camera_{source}"
    else:
        name = PureWindowsPath(source).name if "\\" in source else PurePosixPath(source).name
        text = name.rpartition(".")[0] or name
    return plain_name(text) or "camera"


def plain_name(text: str) -> str:
    """A text in letters, digits, ``_`` and ``-``, which is safe in file names and topics; it may be empty."""
    text = "".join(character if character.isalnum() or character in "_-" else "_" for character in text)
    return re.sub("_{2,}", "_", text).strip("_")[:_MAX_CHARACTERS]


def add_unique(names: dict[str, str], key: str, wanted: str) -> str:
    """The name of a key; if it has none yet, the wanted one, with a number behind it if another key has it.

    Args:
        names: Name of each key; a new one is added.
        key: What is named.
        wanted: Its name, if that is free.
    """
    if key not in names:
        taken = set(names.values())
        tries = (wanted if number == 1 else f"{wanted}_{number}" for number in count(1))
        names[key] = next(name for name in tries if name not in taken)
    return names[key]
