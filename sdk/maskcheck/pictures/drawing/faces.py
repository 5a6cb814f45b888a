"""A box and a caption for each face."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import cv2
import numpy as np

from maskcheck.pictures.box import Box
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.drawing.captions import Caption, Colour

# BGR. From the palette of Okabe and Ito, which colour-blind people can tell apart: https://jfly.uni-koeln.de/color/
_COLOURS: dict[str, Colour] = {
    "with_mask": (115, 158, 0),  # bluish green
    "without_mask": (0, 94, 213),  # vermilion
    "mask_worn_incorrectly": (0, 159, 230),  # orange
}
_OTHER_COLOUR: Colour = (178, 114, 0)  # blue
_UNSURE_COLOUR: Colour = (110, 110, 110)  # grey
_UNSURE = "unsure"
_CAPTIONS = {"with_mask": "mask", "without_mask": "no mask", "mask_worn_incorrectly": "mask worn wrong"}


class LabelledBox(Protocol):
    """What :func:`draw_faces` needs of a face."""

    @property
    def box(self) -> Box:
        """``(x1, y1, x2, y2)`` in pixels, half-open, inside the picture."""

    @property
    def label(self) -> str:
        """The face's label."""

    @property
    def confidence(self) -> float:
        """Probability of the label, in [0, 1]."""


def colour_of(label: str) -> Colour:
    """Colour in which faces of a label are drawn."""
    return _UNSURE_COLOUR if label == _UNSURE else _COLOURS.get(label, _OTHER_COLOUR)


def caption_of(label: str) -> str:
    """Name of a label as it is shown to people."""
    return _CAPTIONS.get(label, label.replace("_", " "))


def draw_faces(image: BGRImage, faces: Iterable[LabelledBox], *, min_confidence: float = 0.0) -> BGRImage:
    """A copy of a picture with a box and a caption for each face, both sized to the face.

    The box is drawn on whole pixels, rounded outwards. The caption of a face that has a ``track_id`` begins with it.

    Args:
        image: uint8 (H, W, 3), BGR; it is not changed.
        faces: The faces to draw.
        min_confidence: A face of lower confidence is drawn in grey, with the caption ``unsure``.
    """
    canvas = image.copy()
    # Large faces first, so that a small face in front of them keeps its caption.
    for face in sorted(faces, key=lambda face: face.box[0] - face.box[2]):
        if face.confidence < min_confidence:
            _draw(canvas, face, _UNSURE, _UNSURE_COLOUR)
        else:
            _draw(canvas, face, caption_of(face.label), _COLOURS.get(face.label, _OTHER_COLOUR))
    return canvas


def _draw(canvas: BGRImage, face: LabelledBox, text: str, colour: Colour) -> None:
    left, top = math.floor(face.box[0]), math.floor(face.box[1])
    right, bottom = math.ceil(face.box[2]), math.ceil(face.box[3])
    side = min(right - left, bottom - top)
    line_width = max(1, round(side / 50))
    cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, line_width, cv2.LINE_AA)
    track = getattr(face, "track_id", None)
    if track is not None:
        text = f"#{track} {text}"
    Caption(text, face.confidence, scale=float(np.clip(side / 180, 0.35, 1.5))).draw(canvas, left, top, colour)
