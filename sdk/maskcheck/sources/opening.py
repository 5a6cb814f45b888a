"""``open_source``: the reader of whatever a caller names."""

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
    """Open a source, whatever it is, to read its frames.

    ::

        with open_source("street.mp4", every=5) as frames:
            for result in pipeline.track(frames):
                print(result.time, [face.label for face in result])

    Args:
        what: A video file; the number of a camera (``0`` or ``"0"``) or ``/dev/video0``; the address of a stream
            (``rtsp://``, ``http://``, ...); a picture, a folder, a pattern, ``@FILE`` for a list, or ``-`` for a
            picture on standard input; or an iterable of frames or pictures. Frames of pictures hold their path, and
            are decoded by the pipeline.
        every: Of a video, give only each Nth frame: those whose number is a multiple of it.
        start: Of a video, give frames from this time on, in seconds.
        end: Of a video, give frames before this time, in seconds.
        limits: The most that a picture or frame may have.
        open_timeout: Of a live source: seconds for an attempt to connect.
        read_timeout: Of a live source: seconds without a frame after which the connection is lost.
        reconnect: Of a live source: whether to connect again when it is lost.
        on_state: Of a live source: called with each change of its state.
        options: Of a stream: options of FFmpeg.

    Returns:
        A reader, to be closed; as a context manager, it closes itself. Its frames have index, time and source.

    Raises:
        SourceError: There is no such source, or the video cannot be read.
        PackageNotInstalled: It needs a package that is missing; the message says what to install.
        ValueError: An option is out of range, or `every`, `start` or `end` is given for what is no file.
        TypeError: `what` is nothing of this.
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
    """Whether an argument may stand for many files, which are found while they are read."""
    try:
        return os.path.isdir(argument)  # noqa: PTH112  it may be no path
    except ValueError:
        return False


def _refuse_selection(selects: bool, what: str) -> None:
    if selects:
        raise ValueError(f"every, start and end choose frames of a video file; {what} has none of these")
