"""The crop that the classifier sees. Training and inference cut with this one function."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

Crops: TypeAlias = NDArray[np.uint8]
"""Face crops: uint8, shape (N, S, S, 3), RGB."""

_LARGEST = 4096
"""Side, in pixels, up to which a square that leaves the picture is built as it is: 50 MB."""

_FINER = 16
"""How many times finer than the crop a larger one is built; an edge of the picture is off by 1/32 pixel at most."""


def crop_face(
    image: BGRImage,
    box: NDArray[np.floating],
    *,
    size: int,
    margin: float,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Cut a square around a box and scale it to the classifier's input.

    The square shares the box's centre; its side is the longer side of the box times ``1 + 2 * margin``, so that
    no face is distorted. Where it leaves the picture, the picture's edge pixels are repeated. However long the box, the
    memory that this takes is bounded.

    Args:
        image: uint8 (H, W, 3), BGR.
        box: ``x1, y1, x2, y2`` in pixels, half-open; it must overlap the picture.
        size: Side S of the result, in pixels.
        margin: Added on each side, as a share of the longer side of the box.
        out: Where to write the result, a C-contiguous uint8 (size, size, 3); by default, a new array.

    Returns:
        uint8 (size, size, 3), RGB: what the classifier's file takes; `out`, if it was given.
    """
    square = _resize(_square(image, box, size, margin), size)
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB, dst=out), np.uint8)


def _square(image: BGRImage, box: NDArray[np.floating], size: int, margin: float) -> BGRImage:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(edge) for edge in box)
    side = max(1, round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)))
    # However little of the box is in the picture: a pixel of the picture is always in the square.
    left = min(max(round((x1 + x2 - side) / 2), 1 - side), width - 1)
    top = min(max(round((y1 + y2 - side) / 2), 1 - side), height - 1)
    right, bottom = left + side, top + side
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    missing = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if not any(missing):
        return inside
    if side > _LARGEST:
        inside, missing = _shrunk(inside, missing, side, max(size, min(_FINER * size, _LARGEST)))
    return np.asarray(cv2.copyMakeBorder(inside, *missing, cv2.BORDER_REPLICATE), np.uint8)


def _shrunk(
    inside: BGRImage, missing: tuple[int, int, int, int], side: int, smaller: int
) -> tuple[BGRImage, tuple[int, int, int, int]]:
    """The part inside the picture, and what is missing around it, of a square that is shrunk before it is built."""
    above, below, before, after = missing
    top, rows = _span(above, side - below, smaller / side, smaller)
    left, columns = _span(before, side - after, smaller / side, smaller)
    shrunk = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8), (top, smaller - top - rows, left, smaller - left - columns)


def _span(start: int, end: int, scale: float, length: int) -> tuple[int, int]:
    """Where a part of a side begins when the side is shrunk to `length`, and how long it is, at least a pixel."""
    first = min(round(start * scale), length - 1)
    return first, max(1, round(end * scale) - first)


def _resize(square: BGRImage, size: int) -> BGRImage:
    # INTER_AREA averages when shrinking (no aliasing); enlarging, linear is as good as it gets and fast.
    shrinking = square.shape[0] > size
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)
