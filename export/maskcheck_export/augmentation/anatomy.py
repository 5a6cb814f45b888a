"""Where the face is in a picture that was labelled as a whole."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.images import BGRImage

_CASCADE = "haarcascade_frontalface_alt2.xml"
_SEARCHED_SIDE = 160  # portraits: a face that is found at this size is large enough to paint on
_SMALLEST_SHARE = 0.35
"""Shorter side of the picture that a face must fill: smaller hits in a portrait are mostly not its face."""

_local = threading.local()  # a cascade must not be shared by threads


def find_face(pixels: BGRImage) -> NDArray[np.float32] | None:
    """The largest frontal face, from forehead to chin and ear to ear.

    Args:
        pixels: uint8 (H, W, 3), BGR.

    Returns:
        float32 (4,), ``x1, y1, x2, y2`` in pixels, or None.
    """
    height, width = pixels.shape[:2]
    scale = min(_SEARCHED_SIDE / min(height, width), 1.0)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    smallest = round(_SMALLEST_SHARE * min(grey.shape))
    hits = _cascade().detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(smallest, smallest))
    if not len(hits):
        return None
    x, y, side, _ = max(hits, key=lambda hit: hit[2]) / scale
    # The cascade's square holds brows to chin, and some background beside the cheeks.
    box = [x + 0.09 * side, y - 0.06 * side, x + 0.91 * side, y + 1.04 * side]
    return np.array(box, np.float32)


def _cascade() -> cv2.CascadeClassifier:
    if not hasattr(_local, "cascade"):
        _local.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADE)
    return _local.cascade
