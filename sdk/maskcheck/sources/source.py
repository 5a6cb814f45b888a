"""A source: a picture file or pipe, or the error in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from maskcheck.errors import SourceError

# Most of these are TIFF files inside, of which a TIFF reader would decode the small preview.
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"}
)
"""File name endings of camera raw files, in lower case."""

SourceKind: TypeAlias = Literal["picture", "video", "live"]


@dataclass(frozen=True, slots=True)
class Source:
    """A picture, or the reason why there is none.

    Attributes:
        path: The file.
        name: Its path below the folder that was searched, or its file name: the name for a copy of it.
        error: Set if there is no picture at `path`.
        piped: Whether it is standard input or a pipe, which :func:`read_piped` reads, once.
        kind: What it is; ``live`` is a camera or a stream.
    """

    path: Path
    name: Path
    error: SourceError | None = None
    piped: bool = False
    kind: SourceKind = "picture"

    @property
    def display_name(self) -> str:
        """Its name in results. A failed argument stays as the user wrote it: a path would turn ``//`` into ``/``."""
        return str(self.path) if self.error is None else self.error.source


def picture_source(path: Path, name: Path) -> Source:
    """A picture file; an error if it is a camera raw file."""
    if path.suffix.lower() in RAW_SUFFIXES:
        return failed_source(str(path), f"{path} is a camera raw file; export it as JPEG, PNG or TIFF first")
    return Source(path, name)


def failed_source(argument: str, message: str) -> Source:
    """The error in place of a picture."""
    return Source(Path(argument), Path(argument), SourceError(message, source=argument))


def reason(error: OSError | ValueError) -> str:
    """Why the system refuses a path, without its error number and the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
