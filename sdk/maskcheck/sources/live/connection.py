"""A connection to a live source: it gives pictures until it is lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.reader import VideoInfo

Picture: TypeAlias = Callable[[], BGRImage]
"""A picture that was received. It is turned upright and into BGR when it is called: only for one that is taken."""


class Hope(Enum):
    """Whether the next attempt to connect may succeed."""

    SOON = "soon"
    """The source may come back at any moment."""
    AFTER_CORRECTION = "after correction"
    """Somebody must correct the address or the source, so the first connection fails with it."""
    LOGIN_REFUSED = "login refused"
    """As `AFTER_CORRECTION`; besides, a source may lock out those who often try a wrong password."""
    NEVER = "never"
    """It cannot be read by this program."""


class ConnectionFailure(Exception):
    """No connection, or no more pictures from it.

    Attributes:
        reason: Why, in words, without a password.
        hope: Whether the next attempt may succeed.
    """

    def __init__(self, reason: str, hope: Hope = Hope.SOON) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hope = hope


class Connection(ABC):
    """Gives pictures until it is lost. It belongs to one thread, which also closes it.

    Attributes:
        info: What the source says of itself, with the size of the last picture.
    """

    info: VideoInfo

    @abstractmethod
    def receive(self) -> Picture:
        """The next picture; waits for it no longer than the read time-out.

        Raises:
            ConnectionFailure: No more pictures come.
        """

    @abstractmethod
    def close(self) -> None:
        """Free what it holds."""


Connect: TypeAlias = Callable[[], Connection]
"""Connects, or raises `ConnectionFailure` after the open time-out."""


def check_size(width: int, height: int, limits: DecodingLimits) -> None:
    """Raise `ConnectionFailure`, without hope, if pictures of this size are above the limits."""
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ConnectionFailure(
            f"its pictures have {width} x {height} pixels, above the limit of {limits.max_pixels:,} pixels"
            f" and {limits.max_side:,} a side; raise max_pixels or max_side to allow it",
            Hope.NEVER,
        )
