"""Zones and lines with their counts, drawn on a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.drawing.captions import Caption, Colour

# BGR, of the palette of Okabe and Ito, like the colours of faces, but none of them.
_ZONE_COLOUR: Colour = (233, 180, 86)  # sky blue
_LINE_COLOUR: Colour = (66, 228, 240)  # yellow
_FILL = 0.15  # share of the colour inside a zone

Point = tuple[float, float]


def draw_zone(canvas: BGRImage, points: Sequence[Point], text: str) -> None:
    """Draw a zone: its outline, a light fill, and a text at its top.

    Args:
        canvas: uint8 (H, W, 3), BGR; it is changed.
        points: Corners, in pixels; they may lie outside the picture.
        text: Name and count, say.
    """
    corners = np.rint(points).astype(np.int32)
    height, width = canvas.shape[:2]
    left, top = np.clip(corners.min(axis=0), 0, (width, height))
    right, bottom = np.clip(corners.max(axis=0) + 1, 0, (width, height))
    part = canvas[top:bottom, left:right]
    if part.size:
        filled = part.copy()
        cv2.fillPoly(filled, [corners - (left, top)], _ZONE_COLOUR)
        cv2.addWeighted(filled, _FILL, part, 1 - _FILL, 0, dst=part)
    cv2.polylines(canvas, [corners], True, _ZONE_COLOUR, _line_width(canvas), cv2.LINE_AA)
    x, y = min(map(tuple, corners), key=lambda corner: (corner[1], corner[0]))
    _write(canvas, text, x, y, _ZONE_COLOUR)


def draw_line(canvas: BGRImage, start: Point, end: Point, text: str) -> None:
    """Draw a line, with an arrow from its middle to the side that is in, and a text at its start.

    Args:
        canvas: uint8 (H, W, 3), BGR; it is changed.
        start: ``(x, y)`` in pixels.
        end: ``(x, y)`` in pixels. In is to the right-hand side of a walk from start to end.
        text: Name and counts, say.
    """
    first, last = np.array(start, np.float64), np.array(end, np.float64)
    along = last - first
    to_the_right = np.array([-along[1], along[0]]) / max(1e-9, float(np.hypot(*along)))  # as y points down
    middle = (first + last) / 2
    tip = middle + to_the_right * max(12.0, min(canvas.shape[:2]) / 20)
    width = _line_width(canvas)
    cv2.line(canvas, _pixel(first), _pixel(last), _LINE_COLOUR, width + 1, cv2.LINE_AA)
    cv2.arrowedLine(canvas, _pixel(middle), _pixel(tip), _LINE_COLOUR, width, cv2.LINE_AA, tipLength=0.4)
    _write(canvas, text, *_pixel(first), _LINE_COLOUR)


def _write(canvas: BGRImage, text: str, x: int, y: int, colour: Colour) -> None:
    height, width = canvas.shape[:2]
    scale = float(np.clip(min(height, width) / 900, 0.4, 1.5))
    Caption(text, None, scale=scale).draw(canvas, int(np.clip(x, 0, width)), int(np.clip(y, 0, height)), colour)


def _line_width(canvas: BGRImage) -> int:
    return max(1, int(min(canvas.shape[:2])) // 240)


def _pixel(point: np.ndarray) -> tuple[int, int]:
    x, y = (max(-30000, min(30000, round(float(edge)))) for edge in point)  # OpenCV's lines overflow further out
    return x, y
