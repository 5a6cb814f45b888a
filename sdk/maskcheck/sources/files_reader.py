"""Readers of what has no clock of its own: pictures, several files, and frames of the caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress

from maskcheck.errors import MaskCheckError, PackageNotInstalled, SourceError
from maskcheck.frames import Frame
from maskcheck.pictures.decoding import ImageLike
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.pipes import read_piped
from maskcheck.sources.reader import FrameReader
from maskcheck.sources.source import Source
from maskcheck.sources.video_file import VideoReader


class FilesReader(FrameReader):
    """Reads the pictures of a folder, pattern or list, and the frames of its videos.

    The frame of a picture has its path as ``image``: whoever works on it decodes it. What cannot be read is a frame
    with an ``error`` in its place, and the frames after it follow.

    Args:
        name: What was named.
        sources: What was found, in order; a live source among them is an error.
        open_video: Opens a video file.
        limits: ``max_file_bytes`` is for standard input and pipes.
    """

    def __init__(
        self, name: str, sources: Iterable[Source], open_video: Callable[[Source], VideoReader], limits: DecodingLimits
    ) -> None:
        self.name = name
        self._sources = sources
        self._open_video = open_video
        self._limits = limits
        self._lock = threading.Lock()
        self._video: VideoReader | None = None
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """The frames; those of pictures have a path as image."""
        for source in self._sources:
            if self._closed:
                return
            if source.error is not None:
                yield Frame(None, source=source.display_name, error=source.error)
            elif source.kind == "video":
                yield from self._frames_of_video(source)
            elif source.kind == "live":
                yield _failed(
                    source, SourceError(f"{source.display_name} is live; open it by itself", source=source.display_name)
                )
            else:
                yield self._picture(source)

    def close(self) -> None:
        """End the iteration, from any thread."""
        with self._lock:
            self._closed = True
            video = self._video
        if video is not None:
            video.close()

    def _picture(self, source: Source) -> Frame:
        if not source.piped:
            return Frame(source.path, source=source.display_name)
        try:
            return Frame(read_piped(source, self._limits), source=source.display_name)
        except SourceError as error:
            return _failed(source, error)

    def _frames_of_video(self, source: Source) -> Iterator[Frame]:
        try:
            video = self._open_video(source)
        except (SourceError, PackageNotInstalled) as error:
            yield _failed(source, error)
            return
        with video:
            with self._lock:
                self._video = video
                closed = self._closed
            if closed:
                return
            try:
                yield from video
            except SourceError as error:
                yield _failed(source, error)


class IterableReader(FrameReader):
    """Reads frames or pictures that the caller gives.

    Args:
        frames: Frames, which stay as they are, or pictures, which are numbered.
        name: How it is shown.
    """

    def __init__(self, frames: Iterable[Frame | ImageLike], name: str = "frames") -> None:
        self.name = name
        self._frames = frames
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in order."""
        for position, frame in enumerate(self._frames):
            if self._closed:
                return
            yield Frame.of(frame, position)

    def close(self) -> None:
        """End the iteration before the next frame; a generator of the caller is closed."""
        self._closed = True
        if isinstance(self._frames, Generator):
            with suppress(ValueError):  # it runs at the moment, in another thread
                self._frames.close()


def _failed(source: Source, error: MaskCheckError) -> Frame:
    return Frame(None, source=source.display_name, error=error)
