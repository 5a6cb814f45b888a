"""Opens a video file, chooses its video stream, and reads its metadata."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding.files import file_kind, open_without_blocking
from maskcheck.pictures.formats import HEAD_BYTES, picture_format
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.pyav import error_text, import_pyav, size_options
from maskcheck.sources.reader import VideoInfo
from maskcheck.sources.source import reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Formats that refer to other files or addresses (HLS, DASH, concat) are missing: an untrusted video must not make us
# read those. Pictures are missing, and text, which FFmpeg would render like a terminal.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,vob,mpegvideo,flv,live_flv,asf,ogg,mxf,gxf,nut,wtv,dv,rm,ivf"
    ",av1,obu,h263,h264,hevc,vvc,m4v,vc1,mjpeg,yuv4mpegpipe,nuv,swf,amv,dhav,bink,roq,flic,smk"
    ",mp3,wav,flac,aac,aiff"  # so that the error can say that the file has only sound
)
_RELIABLE_FRAME_COUNT = "mov"  # formats that state the number of frames correctly


class VideoContainer:
    """An open video file.

    Attributes:
        name: Path of the file.
        container: PyAV's container.
        stream: The first video stream that is not a cover picture.
        info: Metadata of the file; the size is that before rotation.
        start_stamp: First time stamp, in units of the stream's time base; None if the file has none.
        packet_count: Number of packets in the stream, if the file states it reliably; else None.
    """

    def __init__(self, path: str, limits: DecodingLimits) -> None:
        """Open a file.

        Raises:
            SourceError: The file is missing or not a readable video, or its frames are above the limits.
            PackageNotInstalled: PyAV is missing.
        """
        self.name = path
        self._limits = limits
        self.container = _open(path, limits)
        try:
            self.stream = self._video_stream()
            context = self.stream.codec_context
            if context is None:  # PyAV has no decoder
                raise SourceError(f"cannot decode {path}: PyAV has no decoder for its video", source=path)
            context.thread_type = "AUTO"
            context.options = size_options(limits)
            self.check_size(context.width, context.height)
            self.info = self._read_info()
            self.start_stamp = self.stream.start_time
            is_counted = _RELIABLE_FRAME_COUNT in self.container.format.name.split(",")
            self.packet_count = self.stream.frames if is_counted and self.stream.frames > 0 else None
        except BaseException:
            self.container.close()
            raise

    def check_size(self, width: int, height: int) -> None:
        """Check the size of a frame, in pixels.

        Raises:
            SourceError: It is above the limits.
        """
        limits = self._limits
        if width * height > limits.max_pixels or max(width, height) > limits.max_side:
            raise SourceError(
                f"the frames of {self.name} have {width} x {height} pixels, above the limit of"
                f" {limits.max_pixels:,} pixels and {limits.max_side:,} a side;"
                " raise max_pixels (--max-megapixels) or max_side to allow it",
                source=self.name,
            )

    def stamp_seconds(self, frame: VideoFrame) -> float | None:
        """The time stamp of a frame in seconds from the start of the video; None if it has none."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        base = self.stream.time_base
        if stamp is None or not base:
            return None
        if self.start_stamp is None:
            self.start_stamp = stamp
        return float((stamp - self.start_stamp) * base)

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _video_stream(self) -> VideoStream:
        from av.stream import Disposition

        streams = self.container.streams
        for stream in streams.video:
            if not stream.disposition & Disposition.attached_pic:
                return stream
        if streams.video:
            found = "it has only a cover picture" + (" and sound" if streams.audio else "")
        elif streams.audio:
            found = "it has only sound"
        else:
            found = "it has neither video nor sound"
        raise SourceError(f"no video in {self.name}: {found}", source=self.name)

    def _read_info(self) -> VideoInfo:
        stream, container = self.stream, self.container
        context = stream.codec_context
        duration = None
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        elif container.duration:
            duration = container.duration / 1e6
        rate = stream.average_rate or stream.guessed_rate
        base = stream.time_base
        return VideoInfo(
            size=(context.width, context.height),
            frame_rate=float(rate) if rate else None,
            frame_count=stream.frames or None,
            duration=duration,
            time_base=(base.numerator, base.denominator) if base else None,
            codec=context.name,
            has_audio=bool(container.streams.audio),
        )


def _open(path: str, limits: DecodingLimits) -> InputContainer:
    _check_file(path)
    av = import_pyav("reading videos")
    try:
        container: InputContainer = av.open(
            f"file:{path}",  # so that no file name is read as an address
            metadata_errors="replace",
            options=size_options(limits),
            container_options={"protocol_whitelist": "file", "format_whitelist": _FORMATS},
        )
        return container
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise SourceError(_why_not_opened(path, error), source=path) from error


def _check_file(path: str) -> None:
    """Refuse everything that is not a regular file: reading a pipe may never end."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        missing = isinstance(error, OSError) and error.errno == errno.ENOENT
        what = f"no such file: {path}" if missing else f"cannot read {path}: {reason(error)}"
        raise SourceError(what, source=path) from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is a {file_kind(status.st_mode)}; expected a video file", source=path)
    if status.st_size == 0:
        raise SourceError(f"{path} is empty; expected a video", source=path)
    if not os.access(path, os.R_OK):
        raise SourceError(f"cannot read {path}: {os.strerror(errno.EACCES)}", source=path)


def _why_not_opened(path: str, error: Exception) -> str:
    try:
        with open_without_blocking(path) as file:
            head: bytes = file.read(HEAD_BYTES) or b""
    except OSError as failure:
        return f"cannot read {path}: {reason(failure)}"
    picture = picture_format(head)
    if picture is not None:
        return f"{path} is a picture ({picture}), not a video"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
        return f"{path} is cut off or damaged: the index of its frames is missing ({error_text(error)})"
    return f"{path} is not a video, or its format is unknown ({error_text(error)})"
