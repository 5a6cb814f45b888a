"""Letters that OpenCV's own font lacks: drawn with a font of the system, or spelled in ASCII where no font has them."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

# First those that have most alphabets, then those of China, Japan and Korea. Pillow looks for a name without a folder
# where the system keeps its fonts.
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
    "PingFang.ttc",  # macOS: the same
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
)
_ASCII = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "€": "EUR"}
_EM = 1.37  # size of a font whose capitals are one pixel high; of DejaVu Sans


def letter(text: str, cap_height: int) -> NDArray[np.uint8] | None:
    """Text as a mask, in a font that has all its characters; None if this system has no such font.

    Args:
        text: One line, without control characters.
        cap_height: Height of a capital letter, in pixels.

    Returns:
        uint8 (H, W), 255 where there is ink, as large as the ink.
    """
    needed = frozenset(character for character in text if not character.isascii())  # ASCII is in all of them
    file = _font_with(needed, from_right=_runs_from_right(text))
    if file is None:
        return None
    # Opened for each text: a font that is kept would be shared by threads.
    return np.asarray(_ink(ImageFont.truetype(file, max(6, round(_EM * cap_height))), text))


def spell(text: str) -> str:
    r"""Text in ASCII: letters without their accents, other characters as their escapes (``\u53e3``)."""
    return "".join(_spelled(character) for character in text)


def visible(text: str) -> str:
    """Text whose control characters, line breaks, bidirectional marks and lone surrogates are escapes."""
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def _spelled(character: str) -> str:
    if character in _ASCII or character.lower() in _ASCII:
        return _ASCII.get(character) or _ASCII[character.lower()].capitalize()
    parts = unicodedata.normalize("NFKD", character)
    kept = "".join(part for part in parts if not unicodedata.combining(part))
    return kept if kept.isascii() else _escape(character)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _runs_from_right(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


@lru_cache(64)
def _font_with(characters: frozenset[str], *, from_right: bool) -> str | None:
    """File of the first font that has all characters."""
    if from_right and not features.check("raqm"):
        return None  # Pillow alone would set Arabic and Hebrew from the left
    return next((file for file in _FONTS if _has_all(file, characters)), None)


def _has_all(file: str, characters: frozenset[str]) -> bool:
    font = _font(file)
    if font is None:
        return False
    missing = _shape(font, "\U0010fffe")  # no character: a font draws its sign for what it lacks
    return all(character.isspace() or _shape(font, character) != missing for character in characters)


def _font(file: str) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(file, 20)
    except (OSError, ImportError):  # no such font; a Pillow without FreeType
        return None


def _shape(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    ink = _ink(font, character)
    return ink.size, ink.tobytes()


def _ink(font: ImageFont.FreeTypeFont, text: str) -> Image.Image:
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    x, y = math.floor(left), math.floor(top)
    sheet = Image.new("L", (max(1, math.ceil(right) - x), max(1, math.ceil(bottom) - y)))
    ImageDraw.Draw(sheet).text((-x, -y), text, fill=255, font=font, anchor="ls")
    return sheet
