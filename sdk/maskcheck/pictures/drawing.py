"""Boxes and labels drawn into a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

# BGR. From the palette of Okabe and Ito, which stays distinct for colour-blind eyes:
# https://jfly.uni-koeln.de/color/
_COLOURS = {
    "with_mask": (115, 158, 0),  # bluish green
    "without_mask": (0, 94, 213),  # vermilion
    "mask_worn_incorrectly": (0, 159, 230),  # orange
}
_OTHER = (178, 114, 0)  # blue
_UNSURE = (110, 110, 110)  # grey
_CAPTIONS = {"with_mask": "mask", "without_mask": "no mask", "mask_worn_incorrectly": "mask worn wrong"}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21  # pixels of a capital letter of that font at scale 1
_LONGEST = 200  # characters of a caption; a label comes from a file and may have any length

_Colour: TypeAlias = tuple[int, int, int]


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


def draw_faces(image: BGRImage, faces: Iterable[LabelledBox], *, min_confidence: float = 0.0) -> BGRImage:
    """A copy of a picture with a box and a caption for each face, both sized to the face.

    Args:
        image: uint8 (H, W, 3), BGR; it is not changed.
        faces: What to draw.
        min_confidence: A face whose label is less sure is drawn in grey, as ``unsure``.
    """
    canvas = image.copy()
    # Large faces first, so that a small one in front of them keeps its caption.
    for face in sorted(faces, key=lambda face: face.box[0] - face.box[2]):
        if face.confidence < min_confidence:
            _draw(canvas, face, "unsure", _UNSURE)
        else:
            name = _CAPTIONS.get(face.label, face.label.replace("_", " "))
            _draw(canvas, face, name, _COLOURS.get(face.label, _OTHER))
    return canvas


def _draw(canvas: BGRImage, face: LabelledBox, name: str, colour: _Colour) -> None:
    x1, y1, x2, y2 = face.box
    side = min(x2 - x1, y2 - y1)
    line = max(1, round(side / 50))
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, line, cv2.LINE_AA)

    caption = _Caption(f"{_shortened(name)} {face.confidence:.0%}", float(np.clip(side / 180, 0.35, 1.5)))
    pad = caption.pad
    # Above the box where there is room, else inside it; never outside the picture's sides.
    left = int(np.clip(x1, 0, max(0, canvas.shape[1] - caption.width - 2 * pad)))
    bottom = y1 if y1 >= caption.height + 2 * pad else y1 + caption.height + 2 * pad
    corner = (left + caption.width + 2 * pad, bottom)
    cv2.rectangle(canvas, (left, bottom - caption.height - 2 * pad), corner, colour, cv2.FILLED)
    caption.write(canvas, left + pad, bottom - pad, _ink(colour))


class _Caption:
    """A line of text of known size: in OpenCV's font if it is ASCII, else in one of the system, else spelled in ASCII.

    Args:
        text: What to write.
        scale: Size of the letters; at 1, a capital is 21 pixels high.
    """

    def __init__(self, text: str, scale: float) -> None:
        self._scale = scale
        self._stroke = max(1, round(scale * 1.6))
        self._mask: NDArray[np.uint8] | None = None
        self.height, self.pad = round(_CAP_HEIGHT * scale), round(6 * scale) + 1
        if not (text.isascii() and text.isprintable()):
            from maskcheck.pictures.lettering import letter, spell, visible  # here: Pillow's fonts take time to load

            text = visible(text)
            self._mask = None if text.isascii() else letter(text, self.height)
            if self._mask is None:
                text = spell(text)
        self._text = text
        if self._mask is None:
            (self.width, _), _ = cv2.getTextSize(text, _FONT, scale, self._stroke)
        else:
            self.height, self.width = self._mask.shape

    def write(self, canvas: BGRImage, left: int, bottom: int, ink: _Colour) -> None:
        """Write it with its lower left corner at a place, as much as the canvas has room for."""
        if self._mask is None:
            cv2.putText(canvas, self._text, (left, bottom), _FONT, self._scale, ink, self._stroke, cv2.LINE_AA)
            return
        top = bottom - self.height
        place = canvas[max(0, top) : max(0, bottom), left : left + self.width]
        mask = self._mask[max(0, -top) :][: place.shape[0], : place.shape[1], None] / np.float32(255)
        place[:] = np.rint(place + (np.array(ink, np.float32) - place) * mask)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."


def _ink(background: _Colour) -> _Colour:
    """Black or white, whichever is legible on the background; luma as in ITU-R BT.601."""
    blue, green, red = background
    return (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else (255, 255, 255)
