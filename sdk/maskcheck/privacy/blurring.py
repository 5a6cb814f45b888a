"""Makes faces unrecognisable in a picture, for good."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike

from maskcheck.pictures.decoding import BGRImage

MOST_CELLS = 3
"""Most averages along a side of a blurred area; the face itself, without the margin, gets about two. With four,
detectors still find a masked face there, and with six any."""

_MARGIN = 0.25
"""Added to a box on each side, as a share of its longer side: detectors leave out ears, hair and chin."""

_LEAST_MARGIN = 4.0  # pixels: boxes of tiny faces are imprecise
_LEAST_CELL = 8.0  # pixels: a tiny face in cells of a few pixels would hardly change


def blur_faces(image: BGRImage, boxes: ArrayLike, *, out: BGRImage | None = None) -> BGRImage:
    """A picture in which nobody can recognise the faces.

    The box and a margin around it are replaced by at most 3 x 3 averages, with smooth passages between them. Nothing
    else of the pixels is left, so no filter can bring the face back. The averages are as coarse for a small face as for
    a large one, and as coarse for a face that the picture's edge cuts as for a whole one.

    Args:
        image: uint8 (H, W, 3), BGR; it is not changed, unless it is also `out`.
        boxes: (N, 4), ``x1, y1, x2, y2`` in pixels; they may reach beyond the picture.
        out: The array for the result, as large as `image`: `image` itself, to change it in place, or the array of a
            video's last frame, which saves making one. By default, a new array.

    Returns:
        uint8 (H, W, 3), BGR: `out`, if it was given.

    Raises:
        ValueError: An array has another shape, or a number is not finite.
    """
    wanted = np.asarray(boxes, np.float64)
    if wanted.size == 0:
        wanted = wanted.reshape(0, 4)
    if wanted.ndim != 2 or wanted.shape[1] != 4 or not np.isfinite(wanted).all():
        raise ValueError(f"boxes: expected finite numbers of shape (N, 4), got {wanted.tolist()}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: expected uint8 of shape (H, W, 3), got {image.dtype} of {image.shape}")
    if out is None:
        out = image.copy()
    elif out is not image:
        if out.shape != image.shape or out.dtype != np.uint8:
            raise ValueError(f"out: expected uint8 of shape {image.shape}, got {out.dtype} of {out.shape}")
        np.copyto(out, image)
    for box in wanted:
        _blur(out, *(float(edge) for edge in box))
    return out


def _blur(canvas: BGRImage, x1: float, y1: float, x2: float, y2: float) -> None:
    height, width = canvas.shape[:2]
    x1, x2 = min(x1, x2), max(x1, x2)
    y1, y2 = min(y1, y2), max(y1, y2)
    if x2 < 0 or y2 < 0 or x1 > width or y1 > height:
        return
    margin = max(_MARGIN * max(x2 - x1, y2 - y1), _LEAST_MARGIN)
    left, right = max(math.floor(x1 - margin), 0), min(math.ceil(x2 + margin), width)
    top, bottom = max(math.floor(y1 - margin), 0), min(math.ceil(y2 + margin), height)
    # By the whole face, not by what the picture's edge leaves of it.
    cell = max((max(x2 - x1, y2 - y1) + 2 * margin) / MOST_CELLS, _LEAST_CELL)
    area = canvas[top:bottom, left:right]
    columns, rows = max(1, int((right - left) / cell)), max(1, int((bottom - top) / cell))
    # INTER_AREA averages every pixel of a cell; a Gaussian alone could be undone in part.
    averages = cv2.resize(area, (columns, rows), interpolation=cv2.INTER_AREA)
    area[:] = cv2.resize(averages, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
