"""Readers of pictures, of several files, and of a caller's own frames."""

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

    The frame of a picture has the path as its ``image``; the pipeline decodes it. A file that cannot be read becomes a
    frame with an ``error``, and reading goes on with the next file.

    Args:
        name: The folder, pattern or list, as it is shown.
        sources: The sources found, in order. A live source among them becomes an error.
        open_video: Opens a video file.
        limits: Its ``max_file_bytes`` applies to standard input and pipes.
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
        """The frames, in order. The image of a picture's frame is its path."""
        for source in self._sources:
            if self._closed:
                return
            if source.error is not None:
                yield Frame(None, source=source.display_name, error=source.error)
            elif source.kind == "video":
                yield from self._frames_of_video(source)
            elif source.kind == "live":
                yield _failed(
                    source,
                    SourceError(
                        f"{source.display_name} is a live source; open it alone, not as part of a list",
                        source=source.display_name,
                    ),
                )
            else:
                yield self._picture(source)

    def close(self) -> None:
        """End the iteration. May be called from any thread."""
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
    """Reads frames or pictures that the caller supplies.

    Args:
        frames: Frames, which are passed on unchanged, or pictures, which are numbered.
        name: The source's name in messages.
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
        """End the iteration before the next frame, and close the caller's generator."""
        self._closed = True
        if isinstance(self._frames, Generator):
            with suppress(ValueError):  # it is running in another thread
                self._frames.close()


def _failed(source: Source, error: MaskCheckError) -> Frame:
    return Frame(None, source=source.display_name, error=error)
