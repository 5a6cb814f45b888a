"""The sound of a source: its packets, as they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from maskcheck.pictures.limits import DEFAULT_LIMITS
from maskcheck.recording.encoding import import_av
from maskcheck.sources.video_container import VideoContainer

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet

# No picture is decoded; more pixels than that is more than FFmpeg can count.
_ANY_SIZE = replace(DEFAULT_LIMITS, max_pixels=2**29 - 1, max_side=2**29 - 1)


class Sound:
    """All audio streams of a file, from some time to another. Their packets are copied, not encoded again.

    Args:
        path: A file with sound, or without any.
        start: Where to begin, in seconds from `zero`.
        end: Where to end; None for the end of the file.
        zero: Time stamp that is time 0, in seconds; None for the start of the file's video.

    Attributes:
        codecs: Name of the codec of each stream.
        error: Why reading it ended too early; None if it did not.

    Raises:
        PackageNotInstalled: PyAV is missing.
        SourceError: The file cannot be read, or has no video.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        start: float = 0.0,
        end: float | None = None,
        zero: float | None = None,
    ) -> None:
        self._av = import_av()
        self._name = str.__str__(os.fsdecode(path))
        # As it is opened to be read: a file from a stranger names no other files, and its time 0 is the same.
        self._video = VideoContainer(self._name, _ANY_SIZE)
        self._file = self._video.container
        self._streams = [stream for stream in self._file.streams.audio if stream.codec_context is not None]
        self.codecs = tuple(stream.codec_context.name for stream in self._streams)
        origin = _start_of(self._video) if zero is None else _fraction(zero)
        self._zero = origin + _fraction(start)
        self._start, self._end = start, math.inf if end is None else end - start
        self.error: Exception | None = None
        self._keeps_lead = True
        self._outputs: dict[int, Any] = {}
        self._with_headers: set[int] = set()
        self._packets: Iterator[Packet[Any]] | None = None
        self._next: Packet[Any] | None = None

    def add_to(self, container: OutputContainer) -> None:
        """Add its streams to a container.

        Raises:
            ValueError: The container does not take one of the codecs.
        """
        self._keeps_lead = container.format.name in ("mp4", "mov")
        for stream in self._streams:
            output: Any = container.add_stream_from_template(stream, opaque=True)
            self._outputs[stream.index] = output
            if stream.codec_context.name == "aac" and not stream.codec_context.extradata:  # as in MPEG-TS
                output.codec_context.extradata = self._aac_header(stream.index)
                self._with_headers.add(stream.index)

    def packets(self, until: float) -> Iterator[Packet[Any]]:
        """The packets that begin before some time, each once.

        Args:
            until: In seconds of the written video.
        """
        if self._packets is None:
            self._packets = self._read()
            self._next = next(self._packets, None)
        while self._next is not None and _time(self._next) < min(until, self._end):
            yield self._next
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the file."""
        self._packets = self._next = None
        self._video.close()

    def _aac_header(self, index: int) -> bytes:
        """What MP4 and Matroska say of AAC, from the header of a first packet (ISO 14496-3, 1.A.2.2 and 1.6.2.1)."""
        video = VideoContainer(self._name, _ANY_SIZE)
        try:
            packets = video.container.demux(video.container.streams[index])
            data = next((bytes(packet) for packet in packets if packet.size > 7), b"")
        finally:
            video.close()
        header = int.from_bytes(data[2:4], "big")
        profile, frequency, channels = header >> 14, header >> 10 & 15, header >> 6 & 7
        return ((profile + 1) << 11 | frequency << 7 | channels << 3).to_bytes(2, "big")

    def _read(self) -> Iterator[Packet[Any]]:
        try:
            yield from self._demux()
        except (OSError, ValueError) as error:  # the pictures go on without sound
            self.error = error

    def _demux(self) -> Iterator[Packet[Any]]:
        if self._start > 0:
            with suppress(OSError, ValueError):  # what cannot jump is read from its beginning
                self._file.seek(math.floor(self._zero * 1_000_000))
        for packet in self._file.demux(self._streams):
            if packet.dts is None:  # the last ones, which are empty
                continue
            base: Any = packet.time_base or packet.stream.time_base
            packet.time_base = base
            offset = round(self._zero / _ratio(base))
            packet.dts -= offset
            packet.pts = packet.dts if packet.pts is None else packet.pts - offset
            # What comes before the first picture warms decoders up, where the container can say that it is not heard.
            if packet.pts < 0 and (self._start > 0 or not self._keeps_lead):
                continue
            index = packet.stream.index
            if index in self._with_headers:
                packet = self._without_header(packet)
            packet.stream = self._outputs[index]
            yield packet

    def _without_header(self, packet: Packet[Any]) -> Packet[Any]:
        """A packet of AAC without the header that MP4 and Matroska write once, for all (ADTS)."""
        data = bytes(packet)
        bare: Packet[Any] = self._av.Packet(data[7 if data[1] & 1 else 9 :])
        bare.pts, bare.dts, bare.duration, bare.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        bare.is_keyframe = True
        return bare


def _ratio(value: Any) -> Fraction:
    """A time base; PyAV 19 has a class of its own for it."""
    return Fraction(value.numerator, value.denominator)


def _fraction(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)


def _time(packet: Packet[Any]) -> float:
    return float((packet.pts or 0) * _ratio(packet.time_base))


def _start_of(video: VideoContainer) -> Fraction:
    """Time stamp at which a video starts, in seconds."""
    stamp, base = video.start_stamp, video.stream.time_base
    return Fraction(0) if stamp is None or not base else Fraction(stamp) * _ratio(base)
