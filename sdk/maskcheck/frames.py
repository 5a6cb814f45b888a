"""A picture on its way through the pipeline: what is to be decoded, where it comes from, and what went wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass

from maskcheck.errors import MaskCheckError
from maskcheck.pictures.decoding import ImageLike


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture, or the reason why there is none. It can be pickled if its image can.

    Attributes:
        image: What :func:`load_image` takes: a path, bytes, an array or a ``PIL.Image``; None if `error` says why.
        source: Path or address that it comes from, as text; None if unknown.
        index: Its position in the source, from 0: of a video, the number of the frame.
        time: Seconds from the start of the source; None where there is no clock, as for pictures.
        error: Why the picture could not be read.
    """

    image: ImageLike | None
    source: str | None = None
    index: int = 0
    time: float | None = None
    error: MaskCheckError | None = None

    @classmethod
    def of(cls, image: Frame | ImageLike, position: int = 0) -> Frame:
        """A frame of a picture; a frame stays as it is.

        Args:
            image: A frame, or a picture. A path becomes the frame's source.
            position: Index of a picture that is no path: its position among those that it came with.
        """
        if isinstance(image, Frame):
            return image
        if isinstance(image, (str, os.PathLike)):
            # A subclass of str may show itself in another way.
            return cls(image, source=str.__str__(os.fsdecode(image)))
        return cls(image, index=position)
