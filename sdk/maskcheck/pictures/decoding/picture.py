"""The types of decoding: what it takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BGRImage: TypeAlias = NDArray[np.uint8]
"""A picture: uint8, shape (H, W, 3), blue-green-red like OpenCV."""

ImageLike: TypeAlias = (
    str | PathLike[str] | PathLike[bytes] | bytes | bytearray | memoryview | IO[bytes] | NDArray[Any] | Image.Image
)
"""A path, an encoded file as bytes or open in binary mode, an array (see :func:`load_image`) or a ``PIL.Image``."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, shape (H, W, 3), BGR, C-contiguous, EXIF orientation applied.
        notes: What decoding left out or guessed, in words: for example, that an animation has more frames.
    """

    pixels: BGRImage
    notes: tuple[str, ...] = ()
