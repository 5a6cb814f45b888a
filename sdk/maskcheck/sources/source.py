"""``Source``: a picture, a video, a camera or a stream that a user named, or the error in its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from maskcheck.errors import SourceError
from maskcheck.sources.addresses import shown_address

# Most of these are TIFF files. A TIFF reader would decode only their small preview.
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"}
)
"""File name endings of camera raw files, in lower case."""

SourceKind: TypeAlias = Literal["picture", "video", "live"]
ALL_KINDS: tuple[SourceKind, ...] = ("picture", "video", "live")


@dataclass(frozen=True, slots=True)
class Source:
    """A picture, a video or a live source that a user named, or the error in its place.

    Attributes:
        path: The file. For a live source, it is only for display.
        name: Path relative to the folder that was searched, or the file name. Copies of the source get this name.
        error: Why the source cannot be read; None if it may be.
        piped: Whether it is standard input or a pipe, which can be read once only, by :func:`read_piped`.
        kind: ``picture``, ``video`` or ``live``, which is a camera or a stream.
        address: Live sources: the number of a camera, or the address of a stream, which may contain a password. Never
            print it; print `display_name`.
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
            number: Number of the camera, from 0.
            argument: What the user wrote, if that is not the number.
        """
        return cls(Path(argument or str(number)), Path(f"camera-{number}"), kind="live", address=number)

    @property
    def display_name(self) -> str:
        """The name in results and messages, without a password."""
        if isinstance(self.address, str) and self.address:
            return shown_address(self.address)
        return str(self.path) if self.error is None else self.error.source


def picture_source(path: Path, name: Path) -> Source:
    """The source for a picture file; an error for a camera raw file."""
    if path.suffix.lower() in RAW_SUFFIXES:
        return failed_source(str(path), f"{path} is a camera raw file; export it as JPEG, PNG or TIFF first")
    return Source(path, name)


def failed_source(argument: str, message: str) -> Source:
    """The error in place of a source."""
    shown = shown_argument(argument)
    return Source(Path(shown), Path(shown), SourceError(message, source=shown))


def shown_argument(argument: str) -> str:
    """An argument that is safe to print: without a password, even if its address lacks the scheme."""
    return shown_address(argument) if "://" in argument else re.sub(r":[^@/\s]+@(?=[^/])", ":***@", argument)


def reason(error: OSError | ValueError) -> str:
    """The system's message, without the error number and the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
