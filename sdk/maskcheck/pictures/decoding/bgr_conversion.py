"""From a decoded ``PIL.Image`` of any mode to upright BGR pixels."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

from maskcheck.pictures.decoding.bit_depth import to_8_bits
from maskcheck.pictures.decoding.deep_tiff import grey_bits_in_use
from maskcheck.pictures.decoding.picture import BGRImage

_STRIP_PIXELS = 4_000_000  # converted at a time, so that memory never holds a large picture three times

# What makes the stored pixels upright, by EXIF orientation (CIPA DC-008, 4.6.4): first transpose, then cv2.flip's code.
_TRANSPOSED = frozenset({5, 6, 7, 8})
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}


def exif_orientation(image: Image.Image) -> tuple[int, tuple[str, ...]]:
    """The EXIF orientation, 1 to 8, and a note where the EXIF data are damaged."""
    # ImageOps.exif_transpose writes all EXIF data anew, and so fails on any broken tag.
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF data, intact pixels: decode the picture
        return 1, ("its EXIF data are damaged, so its orientation is not known",)
    return (int(orientation) if orientation is not None and orientation in range(1, 9) else 1), ()


def to_bgr(image: Image.Image, orientation: int) -> tuple[BGRImage, tuple[str, ...]]:
    """The pixels as upright BGR, and notes on their bit depth.

    Args:
        image: Decoded, of any mode and at least one pixel.
        orientation: EXIF orientation of the stored pixels, 1 to 8.

    Returns:
        uint8, shape (H, W, 3), BGR, C-contiguous; and the notes.

    Raises:
        ImageError: The values are in no range that says what is black and what white; the message lacks its subject.
    """
    import cv2

    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits, which Pillow's own conversion would clip
        grey, notes = to_8_bits(np.asarray(image), grey_bits_in_use(image))
        return _turn_upright(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8), orientation), notes
    height, width = image.height, image.width
    strip_rows = max(1, _STRIP_PIXELS // width)
    if strip_rows >= height:
        return _turn_upright(_strip_to_bgr(image), orientation), ()
    transposed = orientation in _TRANSPOSED
    upright = np.empty((width, height, 3) if transposed else (height, width, 3), np.uint8)
    for top in range(0, height, strip_rows):
        bottom = min(top + strip_rows, height)
        strip = _turn_upright(_strip_to_bgr(image.crop((0, top, width, bottom))), orientation)
        start, end = (height - bottom, height - top) if orientation in (3, 4, 6, 7) else (top, bottom)
        if transposed:
            upright[:, start:end] = strip
        else:
            upright[start:end] = strip
    return upright, ()


def _strip_to_bgr(image: Image.Image) -> BGRImage:
    import cv2

    if image.mode not in ("L", "RGB", "RGBA"):
        # convert("RGB") alone does not drop alpha from every mode.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    code = {"L": cv2.COLOR_GRAY2BGR, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGR}[image.mode]
    return np.asarray(cv2.cvtColor(np.asarray(image), code), np.uint8)


def _turn_upright(pixels: BGRImage, orientation: int) -> BGRImage:
    import cv2

    if orientation in _TRANSPOSED:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if orientation in _FLIPS:
        pixels = np.asarray(cv2.flip(pixels, _FLIPS[orientation]), np.uint8)
    return pixels
