"""Decides whether a file is a picture or a video."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path, PurePath

from maskcheck.pictures.decoding.files import open_without_blocking
from maskcheck.pictures.formats import SUFFIXES, picture_format
from maskcheck.sources.source import RAW_SUFFIXES, Source, SourceKind, failed_source, picture_source
from maskcheck.sources.video_formats import HEAD_BYTES, VIDEO_SUFFIXES, is_video


def kind_of_file(path: str) -> SourceKind | None:
    """The kind of a regular file, by its ending or else by its first bytes; None if it is neither picture nor video.

    Raises:
        OSError: The file cannot be opened.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix in SUFFIXES or suffix in RAW_SUFFIXES:
        return "picture"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    with open_without_blocking(path) as file:
        head = file.read(HEAD_BYTES) or b""  # None: a pipe has replaced the file
    if picture_format(head) is not None:
        return "picture"
    return "video" if is_video(suffix, head) else None


def source_of_kind(kind: SourceKind, path: Path, name: Path) -> Source:
    """The source for a picture or video file; an error for a camera raw file."""
    return picture_source(path, name) if kind == "picture" else Source(path, name, kind=kind)


def file_source(path: str, kinds: Collection[SourceKind]) -> Source:
    """The source for a file that the user named or a pattern matches. Unknown kinds are treated as pictures."""
    try:
        kind = kind_of_file(path) or "picture"
    except OSError:  # decoding reports it
        kind = "picture"
    if kind not in kinds:
        return failed_source(path, f"{path} is a {kind}; expected a {' or '.join(kinds)}")
    return source_of_kind(kind, Path(path), Path(Path(path).name))


def videos_can_be_read() -> bool:
    """Whether PyAV is installed. It is not imported, which would take time."""
    return find_spec("av") is not None
