"""Finds the face of a portrait: a picture of one face that nobody marked with a box."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.haar.cascades import borrowed_cascade
from maskcheck.pictures.decoding import BGRImage

_SEARCHED_SIDE = 160
"""Pixels that the shorter side of the picture is shrunk to: the face of a portrait is large enough at this size."""

_SMALLEST_SHARE = 0.35
"""Share of the shorter side of the picture that a face fills: most smaller detections in a portrait are wrong."""

_BORDER_SHARE = 0.25
"""Added around the picture by repeating its edge pixels: the cascade needs space around a tightly cropped face."""

_MOST_OUTSIDE = 0.05
"""Share of the width of a face that may lie outside the picture; more is a profile, whose nose is elsewhere."""


def find_window(pixels: BGRImage) -> tuple[float, float, float] | None:
    """The window of OpenCV's frontal cascade around the largest face: a square from brows to chin.

    Args:
        pixels: uint8 (H, W, 3), BGR.

    Returns:
        Left and upper edge and side of the square, in pixels; it may reach out of the picture. None without a face.
    """
    scale = min(_SEARCHED_SIDE / min(pixels.shape[:2]), 1.0)
    columns, rows = (max(round(side * scale), 1) for side in pixels.shape[1::-1])
    grey = cv2.cvtColor(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    border, smallest = (round(share * min(grey.shape)) for share in (_BORDER_SHARE, _SMALLEST_SHARE))
    grey = cv2.copyMakeBorder(grey, border, border, border, border, cv2.BORDER_REPLICATE)
    with borrowed_cascade("frontal_alt2", longest=max(grey.shape)) as cascade:
        windows = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=4, minSize=(smallest, smallest))
    if not len(windows):
        return None
    left, top, side, _ = max(windows, key=lambda window: window[2])
    return float(left - border) / scale, float(top - border) / scale, float(side) / scale


def find_face(pixels: BGRImage) -> NDArray[np.float32] | None:
    """The largest frontal face, from hairline to chin and ear to ear.

    No face is better than a wrong face: turned and tilted faces are not found.

    Args:
        pixels: uint8 (H, W, 3), BGR.

    Returns:
        float32 (4,), ``x1, y1, x2, y2`` in pixels, which may reach out of the picture; None without a face.
    """
    window = find_window(pixels)
    if window is None:
        return None
    x, y, side = window
    # The window also holds some background beside the cheeks.
    x1, x2 = x + 0.09 * side, x + 0.91 * side
    if min(x1, pixels.shape[1] - x2) < -_MOST_OUTSIDE * (x2 - x1):
        return None
    return np.array([x1, y - 0.06 * side, x2, y + 1.04 * side], np.float32)
