"""Pictures that go to a worker together."""

from __future__ import annotations

import pickle
from collections import deque
from dataclasses import dataclass, replace

from maskcheck.errors import ImageError, MaskCheckError
from maskcheck.frames import Frame
from maskcheck.results import FrameResult


class Ticket:
    """A picture that was taken, and its result.

    Attributes:
        payload: The frame, pickled: the caller may fill its array anew.
        result: None until there is one.
    """

    def __init__(self, frame: Frame) -> None:
        self.source = frame.source
        self.index, self.time = frame.index, frame.time
        self.result: FrameResult | None = None
        image = frame.image
        if isinstance(image, (bytearray, memoryview)):
            frame = replace(frame, image=bytes(image))
        try:
            self.payload = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            refused = ImageError(
                f"{frame.source or 'the picture'} cannot be given to a worker process: {error}", source=frame.source
            )
            self.payload = pickle.dumps(replace(frame, image=None, error=refused))

    @property
    def held_bytes(self) -> int:
        """Bytes of the pixels of its result."""
        return 0 if self.result is None or self.result.image is None else self.result.image.nbytes

    def fail(self, error: MaskCheckError) -> None:
        """Give it a result with an error."""
        self.result = FrameResult((), (0, 0), source=self.source, frame=self.index, time=self.time, error=error)


@dataclass(frozen=True, eq=False)
class Task:
    """Pictures that a worker gets together.

    Attributes:
        tickets: Those that have no result, in order.
        again: Whether a worker died with it before; it then has one picture.
    """

    tickets: deque[Ticket]
    again: bool = False

    @property
    def size(self) -> int:
        """Bytes that go through the pipe."""
        return sum(len(ticket.payload) for ticket in self.tickets)
