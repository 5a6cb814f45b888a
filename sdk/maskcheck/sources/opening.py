"""``open_source``: opens a picture, folder, video, camera, stream or iterable of frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.frames import Frame
from maskcheck.pictures.decoding import ImageLike
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.sources.files_reader import FilesReader, IterableReader
from maskcheck.sources.reader import FrameReader
from maskcheck.sources.search import find_sources
from maskcheck.sources.source import Source
from maskcheck.sources.video_file import VideoReader, check_selection

if TYPE_CHECKING:
    from maskcheck.sources.live import LiveState


def open_source(
    what: str | int | os.PathLike[str] | Iterable[Frame | ImageLike],
    *,
    every: int = 1,
    start: float | None = None,
    end: float | None = None,
    limits: DecodingLimits = DEFAULT_LIMITS,
    open_timeout: float = 10.0,
    read_timeout: float = 10.0,
    reconnect: bool = True,
    on_state: Callable[[LiveState], None] | None = None,
    options: Mapping[str, str] | None = None,
) -> FrameReader:
    """Open a source of any kind, to read its frames.

    ::

        with open_source("street.mp4", every=5) as frames:
            for result in pipeline.track(frames):
                print(result.time, [face.label for face in result])

    Args:
        what: A video file; the number of a camera (``0`` or ``"0"``) or ``/dev/video0``; the address of a stream
            (``rtsp://``, ``http://``, ...); a picture, a folder, a pattern, ``@FILE`` for a list, or ``-`` for a
            picture on standard input; or an iterable of frames or pictures. The frame of a picture holds its
            path; the pipeline decodes it.
        every: Videos: read only every Nth frame, those whose number is a multiple of N.
        start: Videos: time of the first frame to read, in seconds.
        end: Videos: time before which reading ends, in seconds.
        limits: Largest size of a picture or frame.
        open_timeout: Live sources: seconds that an attempt to connect may take.
        read_timeout: Live sources: seconds without a frame after which the connection counts as lost.
        reconnect: Live sources: whether to connect again after the connection is lost.
        on_state: Live sources: called with each change of state.
        options: Streams: options for FFmpeg.

    Returns:
        A reader. Close it, or use it as a context manager. Its frames have an index, a time and a source.

    Raises:
        SourceError: There is no such source, or the video cannot be read.
        PackageNotInstalled: It needs a package that is missing; the message says what to install.
        ValueError: An option is out of range, or `every`, `start` or `end` is given for a source that is not a file.
        TypeError: `what` is none of these.
    """
    check_selection(every, start, end)
    selects = every != 1 or start is not None or end is not None
    if isinstance(what, FrameReader):
        _refuse_selection(selects, "a reader")
        return what

    def open_video(source: Source) -> VideoReader:
        return VideoReader(source.path, every=every, start=start, end=end, limits=limits)

    if isinstance(what, int) and not isinstance(what, bool):
        if what < 0:
            raise ValueError(f"expected the number of a camera, from 0, got {what}")
        argument = str(what)
        sources: Iterable[Source] = [Source.of_camera(what)]
    elif isinstance(what, (str, os.PathLike)):
        argument = str.__str__(os.fsdecode(what))
        sources = find_sources([argument])
        if not _may_be_many(argument):
            sources = list(sources)
    elif isinstance(what, (bytes, bytearray, memoryview, bool)) or not isinstance(what, Iterable):
        raise TypeError(f"expected a path, an address, a camera or an iterable of frames, got {type(what).__name__}")
    elif isinstance(what, np.ndarray) and what.ndim != 4:
        raise TypeError(f"expected an iterable of pictures, got an array of shape {what.shape}; put it into a list")
    else:
        _refuse_selection(selects, "an iterable")
        return IterableReader(what)
    if isinstance(sources, list) and len(sources) == 1:
        (source,) = sources
        if source.error is not None:
            raise source.error
        if source.kind == "video":
            return open_video(source)
        if source.kind == "live":
            from maskcheck.sources.live import LiveReader

            _refuse_selection(selects, "a live source")
            return LiveReader(
                source.address,
                open_timeout=open_timeout,
                read_timeout=read_timeout,
                reconnect=reconnect,
                on_state=on_state,
                limits=limits,
                options=options,
            )
    return FilesReader(argument, sources, open_video, limits)


def _may_be_many(argument: str) -> bool:
    """Whether an argument is a folder: its files are searched for while they are read."""
    try:
        return os.path.isdir(argument)  # noqa: PTH112  it may not be a path
    except ValueError:
        return False


def _refuse_selection(selects: bool, what: str) -> None:
    if selects:
        raise ValueError(f"every, start and end apply only to video files, not to {what}; leave them out")
