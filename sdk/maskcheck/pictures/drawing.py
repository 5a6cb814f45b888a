"""Boxes and labels drawn into a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import cv2
import numpy as np

from maskcheck.pictures.decoding import BGRImage

# BGR. From the palette of Okabe and Ito, which stays distinct for colour-blind eyes:
# https://jfly.uni-koeln.de/color/
_COLOURS = {
    "with_mask": (115, 158, 0),  # bluish green
    "without_mask": (0, 94, 213),  # vermilion
    "mask_worn_incorrectly": (0, 159, 230),  # orange
}
_OTHER = (178, 114, 0)  # blue
_CAPTIONS = {"with_mask": "mask", "without_mask": "no mask", "mask_worn_incorrectly": "mask worn wrong"}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21  # pixels of a capital letter of that font at scale 1


class LabelledBox(Protocol):
    """What is drawn of a face."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)`` in pixels, half-open."""

    @property
    def label(self) -> str:
        """The face's label."""

    @property
    def confidence(self) -> float:
        """Probability of the label."""


def draw_faces(image: BGRImage, faces: Iterable[LabelledBox]) -> BGRImage:
    """A copy of a picture with a box and a caption for each face, both sized to the face.

    Args:
        image: uint8 (H, W, 3), BGR; it is not changed.
        faces: What to draw.
    """
    canvas = image.copy()
    # Large faces first, so that a small one in front of them keeps its caption.
    for face in sorted(faces, key=lambda face: face.box[0] - face.box[2]):
        _draw(canvas, face)
    return canvas


def _draw(canvas: BGRImage, face: LabelledBox) -> None:
    x1, y1, x2, y2 = face.box
    colour = _COLOURS.get(face.label, _OTHER)
    side = min(x2 - x1, y2 - y1)
    line = max(1, round(side / 50))
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, line, cv2.LINE_AA)

    caption = f"{_CAPTIONS.get(face.label, face.label.replace('_', ' '))} {face.confidence:.0%}"
    scale = float(np.clip(side / 180, 0.35, 1.5))
    stroke = max(1, round(scale * 1.6))
    (width, _), _ = cv2.getTextSize(caption, _FONT, scale, stroke)
    height, pad = round(_CAP_HEIGHT * scale), round(6 * scale) + 1
    # Above the box where there is room, else inside it; never outside the picture's sides.
    left = int(np.clip(x1, 0, max(0, canvas.shape[1] - width - 2 * pad)))
    bottom = y1 if y1 >= height + 2 * pad else y1 + height + 2 * pad
    cv2.rectangle(canvas, (left, bottom - height - 2 * pad), (left + width + 2 * pad, bottom), colour, cv2.FILLED)
    cv2.putText(canvas, caption, (left + pad, bottom - pad), _FONT, scale, _ink(colour), stroke, cv2.LINE_AA)


def _ink(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever is legible on the background; luma as in ITU-R BT.601."""
    blue, green, red = background
    return (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else (255, 255, 255)
