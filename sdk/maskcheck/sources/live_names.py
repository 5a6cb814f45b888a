"""Decides which arguments are a live source: a camera of this machine, or the address of a stream."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from maskcheck.pictures.formats import SUFFIXES
from maskcheck.sources.addresses import shown_address
from maskcheck.sources.source import Source

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
"""Schemes of the addresses of live streams."""

_CAMERA = re.compile(r"[0-9]{1,4}|/dev/video[0-9]{1,4}")
_UNSAFE = re.compile(r"[^\w.-]+")


def live_source(argument: str) -> Source | None:
    """The live source that an argument names; None if it names none.

    Args:
        argument: The argument, which is not the name of a file.
    """
    if _CAMERA.fullmatch(argument):
        return Source.of_camera(int(re.sub(r"\D", "", argument)), argument)
    scheme, separator, rest = argument.partition("://")
    if not separator or scheme.lower() not in SCHEMES or not rest.strip("/") or _names_a_picture(argument):
        return None
    shown = shown_address(argument)
    place = shown.partition("://")[2].rpartition("@")[2]
    return Source(Path(shown), Path(_UNSAFE.sub("-", place).strip("-.") or scheme), kind="live", address=argument)


def _names_a_picture(address: str) -> bool:
    if address[:4].lower() != "http":
        return False
    try:
        path = urlsplit(address).path
    except ValueError:  # brackets without an IPv6 address
        return False
    return PurePosixPath(path).suffix.lower() in SUFFIXES
