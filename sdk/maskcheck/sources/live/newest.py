"""The newest picture, between the thread that receives pictures and the thread that takes them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from maskcheck.sources.live.connection import Picture

_LOOK = 0.1  # seconds: on Windows, Ctrl-C does not interrupt a longer wait


@dataclass(frozen=True)
class Received:
    """A picture that was received.

    Attributes:
        picture: Gives its pixels.
        index: How many were received before it.
        time: When it was received, by ``monotonic``.
    """

    picture: Picture
    index: int
    time: float


class NewestPicture:
    """Holds one picture: a newer one takes its place.

    Attributes:
        received: Number of pictures that came.
        taken: Number of pictures that were taken.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: Received | None = None
        self._ended = False
        self.received = 0
        self.taken = 0

    def put(self, picture: Picture, time: float) -> None:
        """Put a picture in the place of the one before; after the end, it is dropped."""
        with self._changed:
            if not self._ended:
                self._newest = Received(picture, self.received, time)
            self.received += 1
            self._changed.notify_all()

    def end(self, *, at_once: bool) -> None:
        """No more pictures are given.

        Args:
            at_once: Not even the one that waits.
        """
        with self._changed:
            self._ended = True
            if at_once:
                self._newest = None
            self._changed.notify_all()

    def take(self) -> Received | None:
        """Take the newest picture, if it is there in a moment; None if not."""
        with self._changed:
            if self._newest is None and not self._ended:
                self._changed.wait(_LOOK)
            newest, self._newest = self._newest, None
            self.taken += newest is not None
            return newest

    @property
    def ended(self) -> bool:
        """Whether no more pictures are given."""
        with self._changed:
            return self._ended and self._newest is None
