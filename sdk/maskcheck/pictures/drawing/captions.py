"""A caption: a line of text on a filled rectangle, in OpenCV's font where that has the letters."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green and red, 0 to 255."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_HEIGHT = 21  # pixels of a capital letter of that font at scale 1
_MAX_CHARACTERS = 200  # of the text: a label comes from a model file and may have any length


class Caption:
    """A text and a confidence, measured and ready to be drawn.

    Letters beyond ASCII are drawn in a font of the system; where no font has them, the text is spelled in ASCII.

    Args:
        text: Any text; long texts are cut.
        confidence: In [0, 1]; it follows the text, in per cent. None for a text alone.
        scale: Size of the letters; at 1, a capital letter is 21 pixels high.
    """

    def __init__(self, text: str, confidence: float | None, *, scale: float) -> None:
        text = text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."
        if confidence is not None:
            text = f"{text} {confidence:.0%}"
        self._scale = scale
        self._stroke = max(1, round(scale * 1.6))
        self._height, self._padding = round(_CAP_HEIGHT * scale), round(6 * scale) + 1
        self._mask: NDArray[np.uint8] | None = None
        if not (text.isascii() and text.isprintable()):
            # Imported only now: Pillow's fonts take time to load.
            from maskcheck.pictures.drawing.text_rendering import escape_unprintable, render_text, spell_in_ascii

            text = escape_unprintable(text)
            self._mask = None if text.isascii() else render_text(text, self._height)
            if self._mask is None:
                text = spell_in_ascii(text)
        self._text = text
        if self._mask is None:
            (self._width, _), _ = cv2.getTextSize(text, _FONT, scale, self._stroke)
        else:
            self._height, self._width = self._mask.shape

    def draw(self, canvas: BGRImage, left: int, top: int, background: Colour) -> None:
        """Draw it above a box, or inside the box if there is no room above; never beyond the picture's sides.

        Args:
            canvas: uint8 (H, W, 3), BGR; it is changed.
            left: Left edge of the box, in pixels.
            top: Top edge of the box, in pixels.
            background: Colour of the rectangle; the text is black or white.
        """
        width, height = self._width + 2 * self._padding, self._height + 2 * self._padding
        left = int(np.clip(left, 0, max(0, canvas.shape[1] - width)))
        bottom = top if top >= height else top + height
        cv2.rectangle(canvas, (left, bottom - height), (left + width, bottom), background, cv2.FILLED)
        self._write(canvas, left + self._padding, bottom - self._padding, _text_colour(background))

    def _write(self, canvas: BGRImage, left: int, bottom: int, colour: Colour) -> None:
        if self._mask is None:
            cv2.putText(canvas, self._text, (left, bottom), _FONT, self._scale, colour, self._stroke, cv2.LINE_AA)
            return
        top = bottom - self._height
        region = canvas[max(0, top) : max(0, bottom), left : left + self._width]
        mask = self._mask[max(0, -top) :][: region.shape[0], : region.shape[1], None] / np.float32(255)
        region[:] = np.rint(region + (np.array(colour, np.float32) - region) * mask)


def _text_colour(background: Colour) -> Colour:
    """Black or white, whichever is more legible on the background; luma as in ITU-R BT.601."""
    blue, green, red = background
    return (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else (255, 255, 255)
