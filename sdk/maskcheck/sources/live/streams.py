"""Connections to streams over a network, by PyAV."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.errors import PackageNotInstalled, SourceError
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.addresses import shown_address
from maskcheck.sources.live.connection import Connect, Connection, ConnectionFailure, Hope, Picture, check_size
from maskcheck.sources.live.pace import Pace
from maskcheck.sources.live.stream_failures import check_host_name, failure_of
from maskcheck.sources.reader import VideoInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
"""Schemes of the addresses of live streams."""

_OPTIONS = {
    "rtsp_transport": "tcp",  # over UDP, lost packets damage pictures
    # FFmpeg looks at a stream for up to 5 s, and waits for 20 frames to learn their rate, before it gives the first.
    "analyzeduration": "1000000",
    "fpsprobesize": "0",
    "max_reload": "1000000",  # of an HLS list without a new segment: the read time-out ends it
}

_SEGMENTED = frozenset({"hls", "applehttp", "dash"})  # formats whose frames come in bursts
_BROKEN = "it closed the connection, or what it sends is no video stream"
# FFmpeg refuses larger pictures before it decodes them, but does not tell their size.
_REFUSED_UNSEEN = 4  # times the limit
_ENDED = "the server closed the connection"


def stream_opener(
    address: str, *, open_timeout: float, read_timeout: float, limits: DecodingLimits, options: Mapping[str, str]
) -> Connect:
    """What connects to a stream.

    Raises:
        SourceError: The address is not one of a stream.
        PackageNotInstalled: PyAV is missing.
    """
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() not in SCHEMES or not rest.strip("/"):
        # Who forgets the slashes or the scheme may have written a password all the same.
        name = shown_address(address) if separator else re.sub(r":[^@]*@", ":***@", address)
        raise SourceError(
            f"expected the address of a live source, such as rtsp://host/path, http://host/path or the number of a"
            f" camera, got {name!r}; known schemes: {', '.join(SCHEMES)}",
            source=name,
        )
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise PackageNotInstalled(
            'streams are read by PyAV, which is not installed; install it: pip install "maskcheck[video]"', package="av"
        ) from error
    all_options = {
        **_OPTIONS,
        "max_pixels": str(_REFUSED_UNSEEN * limits.max_pixels),
    }
    if scheme.lower() in ("rtsp", "rtsps"):  # of UDP, it would mean something else
        # PyAV's own time-outs do not hold in the farewell to the server; this one is longer than they are.
        all_options["timeout"] = str(round(2e6 * max(open_timeout, read_timeout)))
    all_options.update(options)
    return partial(_connect, address, open_timeout, read_timeout, limits, all_options)


def _connect(
    address: str, open_timeout: float, read_timeout: float, limits: DecodingLimits, options: Mapping[str, str]
) -> Connection:
    import av

    began = monotonic()
    try:
        container = av.open(
            address, options=dict(options), timeout=(open_timeout, read_timeout), metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        timed_out = f"no answer in {open_timeout:g} s"
        failure = failure_of(error, timed_out=timed_out, broken=_BROKEN)
        if failure.reason == _BROKEN and monotonic() - began >= open_timeout:  # RTSP takes a time-out for bad data
            failure = ConnectionFailure(timed_out)
    else:
        return _connection_of(container, address, read_timeout, limits)
    if failure.reason == _BROKEN:
        check_host_name(address)
    # Not chained to the error: its text has the address with the password.
    raise failure


def _connection_of(
    container: InputContainer, address: str, read_timeout: float, limits: DecodingLimits
) -> StreamConnection:
    try:
        if not container.streams.video:
            raise ConnectionFailure("what it sends has no video", Hope.AFTER_CORRECTION)
        if address[:4].lower() == "http" and container.duration:
            # It would be read faster than it plays, and its end taken for a disconnect.
            raise ConnectionFailure(
                f"it is a video of {container.duration / 1e6:.0f} s, not a live stream; download it and name the file",
                Hope.NEVER,
            )
        return StreamConnection(container, container.streams.video[0], read_timeout, limits)
    except BaseException:
        container.close()
        raise


class StreamConnection(Connection):
    """A stream that is open."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, read_timeout: float, limits: DecodingLimits
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self._container = container
        self._stream = stream
        self._read_timeout = read_timeout
        self._limits = limits
        self._reformatter = VideoReformatter()
        context = stream.codec_context
        context.thread_type = "SLICE"  # threads that work on several frames would delay each by several
        context.options = {"max_pixels": str(_REFUSED_UNSEEN * limits.max_pixels)}
        rate = stream.average_rate
        self.info = VideoInfo(
            size=(context.width, context.height),
            # FFmpeg says 25 of a stream of JPEGs, which has no rate.
            frame_rate=float(rate) if rate and "jpeg" not in container.format.name else None,
            codec=context.name,
            has_audio=bool(container.streams.audio),
        )
        check_size(context.width, context.height, limits)
        self._received = 0
        self._timed_out = False
        self._frames = self._decode()

    def receive(self) -> Picture:
        """The next picture of the stream."""
        import av

        timed_out = f"no data for {self._read_timeout:g} s"
        try:
            frame = next(self._frames, None)
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            failure = failure_of(error, timed_out=timed_out, broken=_ENDED)
        else:
            if frame is None and self._received == 1 and self._container.format.name.endswith("_pipe"):
                raise ConnectionFailure(
                    "it is a single picture, not a live stream; download it and name the file", Hope.NEVER
                )
            if frame is None:
                raise ConnectionFailure(timed_out if self._timed_out else _ENDED)
            self._received += 1
            turned = frame.rotation % 180 != 0
            size = (frame.height, frame.width) if turned else (frame.width, frame.height)
            if size != self.info.size or frame.rotation != self.info.rotation:
                self.info = replace(self.info, size=size, rotation=frame.rotation % 360)
            return partial(_pixels, frame, self._reformatter)
        raise failure

    def close(self) -> None:
        """Close the connection."""
        self._frames.close()
        self._container.close()

    def _decode(self) -> Generator[VideoFrame, None, None]:
        import av

        last = asked = monotonic()
        pace = Pace() if _SEGMENTED.intersection(self._container.format.name.split(",")) else None
        for packet in self._container.demux(self._stream):
            if monotonic() - asked >= self._read_timeout:  # HLS takes a time-out for the end: a few packets still come
                self._timed_out = True
            try:
                frames = packet.decode()
            except av.FFmpegError:  # damaged: the next may be whole
                frames = []
                check_size(self._stream.codec_context.width, self._stream.codec_context.height, self._limits)
            for frame in frames:
                check_size(frame.width, frame.height, self._limits)
                if pace is not None:
                    pace.wait(frame.time)
                last = monotonic()
                yield frame
            if monotonic() > last + self._read_timeout and not self._timed_out:
                raise ConnectionFailure(f"no picture could be decoded for {self._read_timeout:g} s")
            asked = monotonic()


def _pixels(frame: VideoFrame, reformatter: VideoReformatter) -> BGRImage:
    """The pixels of a frame, upright. The thread that takes pictures calls this, and no other."""
    image: BGRImage = reformatter.reformat(frame, format="bgr24").to_ndarray().astype(np.uint8, copy=False)
    turns = frame.rotation // 90 % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
