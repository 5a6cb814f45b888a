"""Where the face is in a picture that was labelled as a whole."""

from __future__ import annotations

import threading

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

_CASCADE = "haarcascade_frontalface_alt2.xml"
_SEARCHED_SIDE = 160  # portraits: a face that is found at this size is large enough to paint on
_SMALLEST_SHARE = 0.35
"""Shorter side of the picture that a face must fill: smaller hits in a portrait are mostly not its face."""
_BORDER_SHARE = 0.25
"""Added around the picture, whose edge pixels it repeats: the cascade wants some room around a tightly cropped face."""
_MOST_OUTSIDE = 0.05  # of a face's width: what reaches further out at a side is a profile, whose nose is elsewhere


class _Local(threading.local):
    """What each thread has of its own: a cascade must not be shared."""

    def __init__(self) -> None:
        self.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)


_local = _Local()


def find_face(pixels: BGRImage) -> NDArray[np.float32] | None:
    """The largest frontal face, from hairline to chin and ear to ear.

    Rather no face than a wrong one: turned and tilted faces are not found.

    Args:
        pixels: uint8 (H, W, 3), BGR.

    Returns:
        float32 (4,), ``x1, y1, x2, y2`` in pixels, which may reach out of the picture; or None.
    """
    scale = min(_SEARCHED_SIDE / min(pixels.shape[:2]), 1.0)
    columns, rows = (max(round(side * scale), 1) for side in pixels.shape[1::-1])
    grey = cv2.cvtColor(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    border = round(_BORDER_SHARE * min(grey.shape))
    smallest = round(_SMALLEST_SHARE * min(grey.shape))
    grey = cv2.copyMakeBorder(grey, border, border, border, border, cv2.BORDER_REPLICATE)
    hits = _local.cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(smallest, smallest))
    if not len(hits):
        return None
    left, top, found, _ = max(hits, key=lambda hit: hit[2])
    x, y, side = (left - border) / scale, (top - border) / scale, found / scale
    # The cascade's square holds brows to chin, and some background beside the cheeks.
    x1, x2 = x + 0.09 * side, x + 0.91 * side
    if min(x1, pixels.shape[1] - x2) < -_MOST_OUTSIDE * (x2 - x1):
        return None
    return np.array([x1, y - 0.06 * side, x2, y + 1.04 * side], np.float32)
