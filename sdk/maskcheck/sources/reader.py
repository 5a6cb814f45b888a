"""``FrameReader``, the base class of all readers, and ``VideoInfo``, the metadata of a video."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from maskcheck.frames import Frame


@dataclass(frozen=True)
class VideoInfo:
    """The metadata of a video. A value that the video does not state is None. Stated values may be wrong.

    Attributes:
        size: ``(width, height)`` of the upright picture, in pixels.
        rotation: Degrees by which its frames are turned counter-clockwise to be upright: 0, 90, 180 or 270.
        frame_rate: Average frames per second.
        frame_count: Number of frames.
        duration: Length, in seconds.
        time_base: Duration of one unit of its time stamps in seconds, as ``(numerator, denominator)``.
        codec: Name of the codec, such as ``h264``.
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
    """Reads the frames of a source. Iterate it once, then close it, or use it as a context manager.

    A frame that cannot be read is a :class:`Frame` with an ``error``. If a source ends early, the iterator raises an
    error after the last frame.

    Attributes:
        name: The source as it is shown: a path or an address, without a password.
        is_live: Whether frames arrive at the pace of the source, as from a camera, so that some may be missed.
        info: Metadata of the video; None for pictures, and for a live source before its first frame.
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
        """End the iteration and free all resources. May be called from any thread; a wait for a frame ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
