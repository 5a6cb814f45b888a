"""Text with letters that OpenCV's font lacks: drawn in a font of the system, or spelled in ASCII."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

# Fonts of most alphabets first, then those for Chinese, Japanese and Korean. Pillow looks for a file name without a
# folder where the system keeps its fonts.
_FONTS = (
    str(Path(cv2.__file__).parent / "qt" / "fonts" / "DejaVuSans.ttf"),  # comes with opencv-python on Linux
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "segoeui.ttf",  # Windows
    "arial.ttf",
    "Arial Unicode.ttf",  # macOS
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",  # Windows: Chinese, Japanese, Korean
    "YuGothM.ttc",
    "malgun.ttf",
    "PingFang.ttc",  # macOS: Chinese, Japanese, Korean
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
)
_ASCII = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "€": "EUR"}
_FONT_SIZE = 1.37  # of a font whose capital letters are one pixel high; measured with DejaVu Sans


def render_text(text: str, cap_height: int) -> NDArray[np.uint8] | None:
    """Text as a mask, in a font of the system that has all its characters; None if there is no such font.

    Args:
        text: A single line, without control characters.
        cap_height: Height of a capital letter, in pixels.

    Returns:
        uint8 (H, W), as large as the text; 255 inside the letters, 0 outside.
    """
    needed = frozenset(character for character in text if not character.isascii())  # all fonts have ASCII
    file = _font_with(needed, right_to_left=_is_right_to_left(text))
    if file is None:
        return None
    # Opened for each text, because threads must not share a font.
    return np.asarray(_draw_mask(ImageFont.truetype(file, max(6, round(_FONT_SIZE * cap_height))), text))


def spell_in_ascii(text: str) -> str:
    r"""Text in ASCII: letters without their accents, other characters as their escapes (``\u53e3``)."""
    return "".join(_spell_character(character) for character in text)


def escape_unprintable(text: str) -> str:
    """Text in which control characters, line breaks, bidirectional marks and lone surrogates are escapes."""
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _spell_character(character: str) -> str:
    if character in _ASCII or character.lower() in _ASCII:
        return _ASCII.get(character) or _ASCII[character.lower()].capitalize()
    parts = unicodedata.normalize("NFKD", character)
    kept = "".join(part for part in parts if not unicodedata.combining(part))
    return kept if kept.isascii() else _escape(character)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


@lru_cache(64)
def _font_with(characters: frozenset[str], *, right_to_left: bool) -> str | None:
    """File of the first font that has all these characters."""
    if right_to_left and not features.check("raqm"):
        return None  # without raqm, Pillow writes Arabic and Hebrew from left to right
    return next((file for file in _FONTS if _has_all(file, characters)), None)


def _has_all(file: str, characters: frozenset[str]) -> bool:
    font = _font(file)
    if font is None:
        return False
    missing = _glyph(font, "\U0010fffe")  # not a character, so this is the glyph that stands for missing ones
    return all(character.isspace() or _glyph(font, character) != missing for character in characters)


def _font(file: str) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(file, 20)
    except (OSError, ImportError):  # there is no such font, or Pillow lacks FreeType
        return None


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = _draw_mask(font, character)
    return mask.size, mask.tobytes()


def _draw_mask(font: ImageFont.FreeTypeFont, text: str) -> Image.Image:
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    x, y = math.floor(left), math.floor(top)
    mask = Image.new("L", (max(1, math.ceil(right) - x), max(1, math.ceil(bottom) - y)))
    ImageDraw.Draw(mask).text((-x, -y), text, fill=255, font=font, anchor="ls")
    return mask
