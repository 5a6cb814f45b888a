"""JPEG files whose end is missing: decoded if at most their last few rows are lost, as viewers do.

Pillow's switch for such files, ``LOAD_TRUNCATED_IMAGES``, holds for the whole process, and accepts half a picture too.
Here the file is decoded twice, with two different endings: pixels that agree come from the file itself.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image

from maskcheck.pictures.decoding.jpeg import jpeg_has_all_scans

_END = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 8  # decodes to pixels of further blocks, if any are missing
_MISSING_ROWS = 18  # may differ: the largest block has 16 rows, and smoothing of colours reaches further up
_MISSING_SHARE = 0.02  # of the rows may differ, if that is more
_MISSING_PIXELS = 0.25  # of the picture may differ at most: a picture may be as low as a single block
_STRIP_ROWS = 256  # compared at a time


def decode_truncated_jpeg(data: bytes) -> tuple[Image.Image, str] | None:
    """The decoded picture and a note on what is missing; None if too much is missing.

    Args:
        data: A JPEG that ends before its end marker.
    """
    data = data.rstrip(b"\xff")  # half a marker
    if not jpeg_has_all_scans(data):
        return None
    with_filler = _decode(data + _FILLER + _END)
    width, height = with_filler.size
    certain_rows = height - min(height, max(_MISSING_ROWS, round(height * _MISSING_SHARE)))
    last_rows = (0, certain_rows, width, height)
    checksum, last_pixels = _checksum(with_filler, certain_rows), np.asarray(with_filler.crop(last_rows))
    del with_filler  # so that memory never holds a large picture twice
    picture = _decode(data + _END)
    if _checksum(picture, certain_rows) != checksum:
        return None
    missing = np.asarray(picture.crop(last_rows)) != last_pixels
    if missing.ndim == 3:
        missing = missing.any(axis=2)
    if missing.sum() > _MISSING_PIXELS * width * height:
        return None
    rows = int(missing.any(axis=1).sum())
    what = f"the last {rows} rows may be grey" if rows else "all pixels are there"
    return picture, f"the end of its file is missing; {what}"


def _decode(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=("JPEG",))
    picture.load()
    return picture


def _checksum(picture: Image.Image, rows: int) -> int:
    checksum = 0
    for top in range(0, rows, _STRIP_ROWS):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP_ROWS, rows)))
        checksum = zlib.crc32(strip.tobytes(), checksum)
    return checksum
