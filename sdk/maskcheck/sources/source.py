"""A source: a picture, a video or something live, or the error in its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from maskcheck.errors import SourceError
from maskcheck.sources.addresses import shown_address

# Most of these are TIFF files inside, of which a TIFF reader would decode the small preview.
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"}
)
"""File name endings of camera raw files, in lower case."""

SourceKind: TypeAlias = Literal["picture", "video", "live"]
ALL_KINDS: tuple[SourceKind, ...] = ("picture", "video", "live")


@dataclass(frozen=True, slots=True)
class Source:
    """What a user named: a picture, a video or something live, or the reason why there is none.

    Attributes:
        path: The file; of an address, nothing that can be opened.
        name: Its path below the folder that was searched, or its file name: the name for a copy of it.
        error: Set if there is no source at `path`.
        piped: Whether it is standard input or a pipe, which :func:`read_piped` reads, once.
        kind: What it is; ``live`` is a camera or a stream.
        address: Where a live source is: the number of a camera, or the address of a stream, which may hold a password.
            Never print it; `display_name` is for that.
    """

    path: Path
    name: Path
    error: SourceError | None = None
    piped: bool = False
    kind: SourceKind = "picture"
    address: str | int = field(default="", repr=False)

    @classmethod
    def of_camera(cls, number: int, argument: str = "") -> Source:
        """A camera of this machine.

        Args:
            number: From 0.
            argument: As the user wrote it, if otherwise.
        """
        return cls(Path(argument or str(number)), Path(f"camera-{number}"), kind="live", address=number)

    @property
    def display_name(self) -> str:
        """Its name in results, without a password. What is no path stays as the user wrote it, with ``//`` for one."""
        if isinstance(self.address, str) and self.address:
            return shown_address(self.address)
        return str(self.path) if self.error is None else self.error.source


def picture_source(path: Path, name: Path) -> Source:
    """A picture file; an error if it is a camera raw file."""
    if path.suffix.lower() in RAW_SUFFIXES:
        return failed_source(str(path), f"{path} is a camera raw file; export it as JPEG, PNG or TIFF first")
    return Source(path, name)


def failed_source(argument: str, message: str) -> Source:
    """The error in place of a source."""
    shown = shown_argument(argument)
    return Source(Path(shown), Path(shown), SourceError(message, source=shown))


def shown_argument(argument: str) -> str:
    """An argument as it may be printed: without the password of an address, also of one whose beginning is wrong."""
    return shown_address(argument) if "://" in argument else re.sub(r":[^@/\s]+@(?=[^/])", ":***@", argument)


def reason(error: OSError | ValueError) -> str:
    """Why the system refuses a path, without its error number and the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
