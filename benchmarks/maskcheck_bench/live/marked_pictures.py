"""Pictures that carry a number, which survives compression: a strip of black and white blocks, one for each bit."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_BITS = 32
_BLOCK = 16


def plain_picture(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A BGR picture of ``(width, height)``, blue on the left and red on the right."""
    width, height = size
    image = np.full((height, width, 3), (200, 30, 30), np.uint8)
    image[:, width // 2 :] = (30, 30, 200)
    return image


def marked_picture(number: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of a picture, at least 512 pixels wide, with a number from 0 to 2**32 - 1 at its top."""
    image = picture.copy()
    for bit in range(_BITS):
        image[:_BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK] = 255 if number >> bit & 1 else 0
    return image


def marked_jpeg(number: int, picture: NDArray[np.uint8]) -> bytes:
    """The marked picture as a JPEG file."""
    _, data = cv2.imencode(".jpg", marked_picture(number, picture))
    return data.tobytes()


def number_in(image: NDArray[np.uint8]) -> int:
    """The number that a picture carries."""
    middles = image[_BLOCK // 2, _BLOCK // 2 : _BITS * _BLOCK : _BLOCK].mean(axis=-1)
    return sum(1 << bit for bit in range(_BITS) if middles[bit] > 127)
