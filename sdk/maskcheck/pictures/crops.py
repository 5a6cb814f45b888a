"""The square crop of a face that the classifier takes. Training and inference both use this function."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

Crops: TypeAlias = NDArray[np.uint8]
"""Face crops: uint8, shape (N, S, S, 3), RGB."""

_MAX_PADDED_SIDE = 4096
"""Longest side, in pixels, of a square that is padded at full size: 50 MB. A larger square is shrunk first."""

_OVERSAMPLING = 16
"""A larger square is shrunk to this many times the crop's side, so the picture's edge is off by 1/32 pixel at most."""


def crop_face(
    image: BGRImage,
    box: NDArray[np.floating],
    *,
    size: int,
    margin: float,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Cut a square around a box and scale it to the classifier's input.

    The square has the box's centre, and its side is the longer side of the box times ``1 + 2 * margin``, so that no
    face is distorted. Outside the picture, its edge pixels are repeated. Memory is bounded, however long the box.

    Args:
        image: uint8 (H, W, 3), BGR.
        box: ``x1, y1, x2, y2`` in pixels, half-open; it must overlap the picture.
        size: Side S of the result, in pixels.
        margin: Added on each side, as a share of the longer side of the box.
        out: The array for the result, C-contiguous uint8 (size, size, 3); by default a new array.

    Returns:
        uint8 (size, size, 3), RGB: `out`, if it was given.
    """
    square = _resize(_square(image, box, size, margin), size)
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB, dst=out), np.uint8)


def _square(image: BGRImage, box: NDArray[np.floating], size: int, margin: float) -> BGRImage:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(edge) for edge in box)
    side = max(1, round(max(x2 - x1, y2 - y1) * (1 + 2 * margin)))
    # At least a pixel of the picture is inside the square, however little of the box is.
    left = min(max(round((x1 + x2 - side) / 2), 1 - side), width - 1)
    top = min(max(round((y1 + y2 - side) / 2), 1 - side), height - 1)
    right, bottom = left + side, top + side
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    outside = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if not any(outside):
        return inside
    if side > _MAX_PADDED_SIDE:
        inside, outside = _shrink(inside, outside, side, max(size, min(_OVERSAMPLING * size, _MAX_PADDED_SIDE)))
    return np.asarray(cv2.copyMakeBorder(inside, *outside, cv2.BORDER_REPLICATE), np.uint8)


def _shrink(
    inside: BGRImage, outside: tuple[int, int, int, int], side: int, smaller: int
) -> tuple[BGRImage, tuple[int, int, int, int]]:
    """Shrink a square before it is padded: its part inside the picture, and its rows and columns outside."""
    above, below, before, after = outside
    top, rows = _span(above, side - below, smaller / side, smaller)
    left, columns = _span(before, side - after, smaller / side, smaller)
    shrunk = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8), (top, smaller - top - rows, left, smaller - left - columns)


def _span(start: int, end: int, scale: float, length: int) -> tuple[int, int]:
    """Start and length of a part of a side, after the side is shrunk to `length`; at least a pixel long."""
    first = min(round(start * scale), length - 1)
    return first, max(1, round(end * scale) - first)


def _resize(square: BGRImage, size: int) -> BGRImage:
    # INTER_AREA averages, so that shrinking causes no aliasing. For enlarging, linear is fast and no worse than others.
    shrinking = square.shape[0] > size
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)
