"""The sound of a source: its packets, as they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from maskcheck.recording.encoding import import_av

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet


class Sound:
    """All audio streams of a file, from some time to another. Their packets are copied, not encoded again.

    Args:
        path: A file with sound, or without any.
        start: Where to begin, in seconds from the start of the file's video.
        end: Where to end; None for the end of the file.

    Attributes:
        codecs: Name of the codec of each stream.
        error: Why reading it ended too early; None if it did not.

    Raises:
        PackageNotInstalled: PyAV is missing.
        OSError, ValueError: The file cannot be read; errors of PyAV are both.
    """

    def __init__(self, path: str | os.PathLike[str], *, start: float = 0.0, end: float | None = None) -> None:
        # "file:" keeps a name such as "a:b.mp4" from being taken for a protocol.
        self._file = import_av().open(f"file:{os.fspath(path)}")
        self._streams = [stream for stream in self._file.streams.audio if stream.codec_context is not None]
        self.codecs = tuple(stream.codec_context.name for stream in self._streams)
        self._zero = _start_of_video(self._file) + Fraction(start).limit_denominator(1_000_000)
        self._start, self._end = start, math.inf if end is None else end - start
        self.error: Exception | None = None
        self._keeps_lead = True
        self._outputs: dict[int, Any] = {}
        self._packets: Iterator[Packet[Any]] | None = None
        self._next: Packet[Any] | None = None

    def add_to(self, container: OutputContainer) -> None:
        """Add its streams to a container.

        Raises:
            ValueError: The container does not take one of the codecs.
        """
        self._keeps_lead = container.format.name in ("mp4", "mov")
        self._outputs = {stream.index: container.add_stream_from_template(stream) for stream in self._streams}

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
        self._file.close()

    def _read(self) -> Iterator[Packet[Any]]:
        try:
            yield from self._demux()
        except (OSError, ValueError) as error:  # the pictures go on without sound
            self.error = error

    def _demux(self) -> Iterator[Packet[Any]]:
        if self._start > 0:
            self._file.seek(math.floor(self._zero * 1_000_000))
        for packet in self._file.demux(self._streams):
            if packet.dts is None:  # the last ones, which are empty
                continue
            packet.time_base = packet.time_base or packet.stream.time_base
            offset = round(self._zero / packet.time_base)
            packet.dts -= offset
            packet.pts = packet.dts if packet.pts is None else packet.pts - offset
            # What comes before the first picture warms decoders up, where the container can say that it is not heard.
            if packet.pts < 0 and (self._start > 0 or not self._keeps_lead):
                continue
            packet.stream = self._outputs[packet.stream.index]
            yield packet


def _time(packet: Packet[Any]) -> float:
    return float((packet.pts or 0) * packet.time_base)


def _start_of_video(file: Any) -> Fraction:
    """Time stamp of the first picture, in seconds."""
    video = file.streams.best("video")
    if video is None or video.start_time is None:
        return Fraction(0)
    return Fraction(video.start_time * video.time_base)
