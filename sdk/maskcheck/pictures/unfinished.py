"""JPEG files that end too early: decoded where all but the very last rows are there, as viewers do.

Pillow's own switch for them, ``LOAD_TRUNCATED_IMAGES``, is one for the whole process and takes half a picture too. Here
the file is decoded with two different endings: the pixels on which both agree come from the file itself.
"""

from __future__ import annotations

import io
import zlib

import numpy as np
from PIL import Image

from maskcheck.pictures.headers import jpeg_has_all_scans

_END = b"\xff\xd9"
_FILLER = bytes(range(1, 255)) * 8  # would be the pixels of some more blocks, if any were missing
_ROWS = 18  # of the largest block, 16, and what smoothing colours adds above
_SHARE = 0.02  # of the rows that may be missing, and more, if they are only
_PIXELS = 0.25  # this much of the picture: it may be as low as one block
_STRIP = 256  # rows that are compared at a time


def finish(data: bytes) -> tuple[Image.Image, tuple[str, ...]] | None:
    """The decoded picture and a note on what is missing; None where too much is.

    Args:
        data: A JPEG that ends before its end marker.
    """
    data = data.rstrip(b"\xff")  # half a marker
    if not jpeg_has_all_scans(data):
        return None
    other = _decoded(data + _FILLER + _END)
    width, height = other.size
    above = height - min(height, max(_ROWS, round(height * _SHARE)))
    lowest = (0, above, width, height)
    checksum, below = _checksum(other, above), np.asarray(other.crop(lowest))
    del other  # a large picture twice is too much
    picture = _decoded(data + _END)
    if _checksum(picture, above) != checksum:
        return None
    changed = np.asarray(picture.crop(lowest)) != below
    if changed.ndim == 3:
        changed = changed.any(axis=2)
    if changed.sum() > _PIXELS * width * height:
        return None
    rows = int(changed.any(axis=1).sum())
    what = f"the last {rows} rows may be grey" if rows else "all pixels are there"
    return picture, (f"the end of its file is missing; {what}",)


def _decoded(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data), formats=("JPEG",))
    picture.load()
    return picture


def _checksum(picture: Image.Image, rows: int) -> int:
    checksum = 0
    for top in range(0, rows, _STRIP):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP, rows)))
        checksum = zlib.crc32(strip.tobytes(), checksum)
    return checksum
