"""The reader of a video file."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from maskcheck.errors import SourceError
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.sources.frame_clock import FrameClock
from maskcheck.sources.pyav import error_text, quarter_turns, upright_pixels
from maskcheck.sources.reader import FrameReader, VideoInfo
from maskcheck.sources.video_container import VideoContainer
from maskcheck.sources.video_start import KeyFrame, key_frame_before

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_TOLERANCE = 1e-6  # seconds, for times that were rounded
_END_TOLERANCE = 1.0  # seconds that a video may end before its stated duration, without a warning
_MAX_FAILED_READS = 10  # in a row, after which the rest of a damaged file is given up


class VideoReader(FrameReader):
    """Reads the frames of a video file, in the order in which they are shown.

    The image of each :class:`Frame` is uint8 (H, W, 3), BGR, upright (phones store videos rotated), in memory of its
    own. Its ``index`` is its number in the file and its ``time`` is in seconds from the start of the video, with
    `every` and `start` too. Times always increase; a time stamp that is missing, repeated or smaller than the one
    before is replaced, using the frame rate. Pixels are those stored in the file: anamorphic video (DVDs) is not
    stretched, interlaced video is not deinterlaced, transparency is dropped, and samples of more than 8 bits are
    rounded.

    Damaged parts are skipped with a warning if decoding can continue after them. A file that ends too early raises
    `SourceError` after its last frame.

    Args:
        path: The file: MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, WMV, Ogg and others. Its size is not limited
            (``max_file_bytes`` applies to pictures): it is never read as a whole, so memory does not grow with it.
        every: Give only every Nth frame, those whose number is a multiple of N. Others are decoded but not converted.
        start: Time of the first frame to give, in seconds.
        end: Time before which reading ends, in seconds.
        limits: ``max_pixels`` and ``max_side`` are checked before a frame is decoded.

    Raises:
        SourceError: The file is missing or not a readable video, or its frames are above the limits.
        PackageNotInstalled: PyAV is missing.
        ValueError: `every` is less than 1, a time is negative or not finite, or `end` is not after `start`.
    """

    info: VideoInfo

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int = 1,
        start: float | None = None,
        end: float | None = None,
        limits: DecodingLimits = DEFAULT_LIMITS,
    ) -> None:
        check_selection(every, start, end)
        self.name = str.__str__(os.fsdecode(path))
        self._every = every
        self._start = start or 0.0
        self._end = math.inf if end is None else end
        self._limits = limits
        self._lock = threading.Lock()
        self._closed = False
        self._iterated = False
        self._problem = ""  # why the end of the file cannot be read
        self._damaged = 0  # number of packets that could not be decoded
        self._video = VideoContainer(self.name, limits)
        try:
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise SourceError(
                    f"no frame of {self.name} can be decoded" + (f": {self._problem}" if self._problem else ""),
                    source=self.name,
                )
            self.info = self._info_by(self._first)
        except BaseException:
            self._video.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        """The frames, in display order.

        Raises:
            SourceError: The file is cut off or damaged at its end (raised after the last frame), or it ends before
                `start`.
        """
        if self._iterated:
            raise RuntimeError(f"{self.name}: a video can be iterated only once; open it again")
        self._iterated = True
        return self._frames()

    def close(self) -> None:
        """End the iteration and close the file. May be called from any thread."""
        self._closed = True
        with self._lock:  # wait for the frame that is being decoded
            self._decoded.close()
            self._video.close()
            self._first = None

    def _frames(self) -> Iterator[Frame]:
        from av.video.reformatter import VideoReformatter

        try:
            key = self._seek()
            index = 0 if key is None else key.number
            reformatter = VideoReformatter()
            clock = FrameClock(self.info.frame_rate)
            time: float | None = None
            while (decoded := self._next()) is not None:
                time = clock.time_of(self._video.stamp_seconds(decoded))
                if time >= self._end - _TOLERANCE:
                    return
                if time >= self._start - _TOLERANCE and index % self._every == 0:
                    yield Frame(upright_pixels(decoded, reformatter), source=self.name, index=index, time=time)
                index += 1
            if not self._closed:
                self._check_end(index, time)
        finally:
            self.close()

    def _next(self) -> VideoFrame | None:
        with self._lock:
            if self._closed:
                return None
            first, self._first = self._first, None
            return first if first is not None else next(self._decoded, None)

    def _check_end(self, frames: int, time: float | None) -> None:
        """Report a file that is damaged or cut off, after its last frame."""
        read = f"{frames} frames up to {time or 0.0:.2f} s were read"
        if self._problem:
            raise SourceError(f"{self.name} is damaged: {self._problem}; {read}", source=self.name)
        if self._damaged:
            self._note(f"it is damaged: {self._damaged} frames could not be decoded; {read}")
        step = 1 / (self.info.frame_rate or 1.0)
        if time is not None and self.info.duration and time + 2 * step + _END_TOLERANCE < self.info.duration:
            self._note(  # not an error: the sound may be longer, or the last frame may be shown for long
                f"it may be cut off: its stated duration is {self.info.duration:.2f} s; {read}"
            )
        if time is None or time < self._start - _TOLERANCE:
            raise SourceError(
                f"no frame of {self.name} is shown at {self._start:g} s or later: it ends at {time or 0.0:.2f} s",
                source=self.name,
            )

    def _note(self, problem: str) -> None:
        self.notes = (*self.notes, problem)
        LOGGER.warning("%s: %s", self.name, problem)

    def _seek(self) -> KeyFrame | None:
        """Seek to the keyframe before the start; None if the next frame is the first of the file."""
        if self._start <= 0:
            return None
        scan = VideoContainer(self.name, self._limits)
        try:
            key = key_frame_before(scan, self._start)
        finally:
            scan.close()
        if key is None:
            return None
        with self._lock:
            if self._closed:
                return None
            first = self._go_to(key, key.stamp) or self._go_to(key, key.decoding_stamp)
            if first is None:  # the file's index is wrong
                self._reopen()
                return None
            self._first = first
        return key

    def _go_to(self, key: KeyFrame, stamp: int) -> VideoFrame | None:
        """Seek to a time stamp and give the keyframe; None if another frame is there."""
        import av

        try:
            self._video.container.seek(stamp, stream=self._video.stream)
        except av.FFmpegError:
            return None
        self._decoded.close()
        self._decoded = self._decode(whole=False)
        for frame in self._decoded:
            if frame.pts is None or frame.pts > key.stamp:
                return None
            if frame.pts == key.stamp:
                return frame
        return None

    def _reopen(self) -> None:
        self._decoded.close()
        self._video.close()
        self._first = None
        self._problem, self._damaged = "", 0
        self._video = VideoContainer(self.name, self._limits)
        self._decoded = self._decode()

    def _info_by(self, frame: VideoFrame) -> VideoInfo:
        rotation = quarter_turns(frame) * 90
        size = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
        return replace(self._video.info, size=size, rotation=rotation)

    def _decode(self, *, whole: bool = True) -> Generator[VideoFrame, None, None]:
        """All frames from here on. Packets that cannot be decoded are skipped; `_problem` is set if the end is lost.

        Args:
            whole: Whether decoding begins at the start of the file.
        """
        import av

        video = self._video
        failures = 0
        last: int | None = None  # stamp of the last frame
        packets = 0
        lost = 0  # packets since the last frame
        while True:
            try:
                for packet in video.container.demux(video.stream):
                    failures = 0
                    packets += packet.size > 0
                    try:
                        frames = packet.decode()
                    except av.FFmpegError as error:
                        self._damaged += 1
                        lost += 1
                        reason = error_text(error)
                        context = video.stream.codec_context
                        video.check_size(context.width, context.height)
                        continue
                    for frame in frames:
                        lost, last = 0, frame.pts
                        video.check_size(frame.width, frame.height)
                        yield frame
            except av.FFmpegError as error:
                failures += 1
                reason = error_text(error)
                if failures < _MAX_FAILED_READS:
                    continue
                self._problem = f"it cannot be read to its end ({reason})"
                return
            break
        is_cut = whole and video.packet_count is not None and packets < video.packet_count
        if last is not None and (lost or is_cut):
            yield from self._decode_tail(last)
        if lost:
            self._problem = f"its end cannot be decoded ({reason})"
        elif is_cut:
            self._problem = f"it is cut off: expected {video.packet_count} frames"

    def _decode_tail(self, last: int) -> Iterator[VideoFrame]:
        """The frames after a time stamp, decoded in one thread: a damaged end makes the decoder's threads lose them."""
        import av

        tail = VideoContainer(self.name, self._limits)
        try:
            tail.stream.codec_context.thread_type = "NONE"
            tail.container.seek(last, stream=tail.stream)
            for packet in tail.container.demux(tail.stream):
                with suppress(av.FFmpegError):
                    yield from (frame for frame in packet.decode() if frame.pts is not None and frame.pts > last)
        except av.FFmpegError:
            return
        finally:
            tail.close()


def check_selection(every: int, start: float | None, end: float | None) -> None:
    """Check the choice of frames: `every` Nth, from `start` to `end` in seconds.

    Raises:
        ValueError: A value is out of range.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"every: expected a whole number from 1, got {every!r}")
    for name, value in (("start", start), ("end", end)):
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"{name}: expected seconds from 0, got {value!r}")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"end: expected more seconds than start ({start or 0.0:g}), got {end:g}")
