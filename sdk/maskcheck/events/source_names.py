"""Short names of sources, for file names and topics."""

from __future__ import annotations

import re
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
    text = "".join(character if character.isalnum() or character in "_-" else "_" for character in text)
    return re.sub("_{2,}", "_", text).strip("_")[:_MAX_CHARACTERS] or "camera"
