"""What reads frames: from pictures, a video file, a camera, a stream, or an iterable of the caller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from maskcheck.frames import Frame


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself. What it does not say is None; what it says may be wrong.

    Attributes:
        size: ``(width, height)`` of the upright picture, in pixels.
        rotation: Degrees by which its pictures are turned counter-clockwise to be upright: 0, 90, 180 or 270.
        frame_rate: Frames a second, on average.
        frame_count: Number of its frames.
        duration: Its length, in seconds.
        time_base: Seconds of one unit of its time stamps, as numerator and denominator.
        codec: Name of its codec, such as ``h264``.
        has_audio: Whether it has sound.
    """

    size: tuple[int, int]
    rotation: int = 0
    frame_rate: float | None = None
    frame_count: int | None = None
    duration: float | None = None
    time_base: tuple[int, int] | None = None
    codec: str | None = None
    has_audio: bool = False


class FrameReader(ABC):
    """Reads the frames of a source. It is iterated once, and closed at the end, also as a context manager.

    A frame that cannot be read is a :class:`Frame` with an ``error``. What ends a source early is raised by the
    iterator, after the frames before it.

    Attributes:
        name: The source as it is shown: a path or an address, without a password.
        is_live: Whether frames come in their own time, as from a camera, and may be missed.
        info: What the video says of itself; None for pictures, and for a live source before its first frame.
        notes: What was wrong with the source and did not end it, in words; known after the last frame.
    """

    name: str
    is_live: bool = False
    info: VideoInfo | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames, in order.

        Raises:
            SourceError: The source cannot be opened, or ends too early.
        """

    @abstractmethod
    def close(self) -> None:
        """End the iteration, from any thread, and free what it holds; a wait for a frame ends in a moment."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
