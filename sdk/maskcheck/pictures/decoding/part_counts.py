"""Parts of a file before its pixels: Pillow reads them one by one, in Python, before it knows the picture's size."""

from __future__ import annotations

import re
from typing import Literal

from maskcheck.pictures.decoding.frame_counts import gif_palette_bytes
from maskcheck.pictures.decoding.jpeg import jpeg_parts_before_scan
from maskcheck.pictures.formats import HEAD_BYTES, picture_format

_MAX_PARTS = 20_000
_BYTES_PER_PART = 4096  # large files may have more parts: programs write a PNG in chunks of 8 kB or more
_MAX_PADDING = 1_000_000  # bytes
_PNM_HEADER = 65_536  # bytes, comments included


def has_too_many_parts(data: bytes) -> bool:
    """Whether a file has so many chunks, segments, boxes, entries or comments that reading them would take long.

    Allowed are 20,000 parts, and 1 more for each 4,096 bytes of the file; and a megabyte of padding.
    """
    most = _MAX_PARTS + len(data) // _BYTES_PER_PART
    match picture_format(data[:HEAD_BYTES]):
        case "JPEG":
            markers, padding = jpeg_parts_before_scan(data, most)
            return markers > most or padding > _MAX_PADDING
        case "PNG":
            return _png_chunks(data, most) > most
        case "GIF":
            return _gif_blocks_before_image(data, most) > most
        case "JPEG 2000":
            return _jp2_boxes(data, most) > most
        case "TIFF":
            return _big_tiff_entries(data) > most
        case "PNM":
            # The magic, width and height, and then the rest, with all comments removed.
            words = re.sub(rb"#[^\r\n]*", b"", data[:_PNM_HEADER]).split(None, 3)
            return len(data) > _PNM_HEADER and len(words) < 4
        case _:
            return False


def _png_chunks(data: bytes, most: int) -> int:
    at, chunks = 8, 0
    while at + 8 <= len(data) and chunks <= most:
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        chunks += 1
    return chunks


def _jp2_boxes(data: bytes, most: int) -> int:
    """Boxes of a JP2 file, and those inside its header box."""
    at, boxes = 0, 0
    while at + 8 <= len(data) and boxes <= most:
        length, header = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:  # the length follows, in 8 bytes
            length, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if length < header:  # up to the end of the file, or invalid
            break
        at += header if data[at + 4 : at + 8] == b"jp2h" else length
        boxes += 1
    return boxes


def _gif_blocks_before_image(data: bytes, most: int) -> int:
    at = 13 + gif_palette_bytes(data[10]) if len(data) > 10 else len(data)
    blocks = 0
    while at < len(data) and data[at] not in (0x2C, 0x3B) and blocks <= most:  # an image, the end
        blocks += 1
        if data[at] != 0x21:  # no extension: Pillow skips bytes between blocks
            at += 1
            continue
        at += 2
        while at < len(data) and data[at] and blocks <= most:
            at += 1 + data[at]
            blocks += 1
        at += 1
    return blocks


def _big_tiff_entries(data: bytes) -> int:
    """Entries that a BigTIFF's first directory claims, up to 2^64; 0 for another TIFF, which has 65,535 at most."""
    if data[2:4] not in (b"+\0", b"\0+"):
        return 0
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    directory = int.from_bytes(data[8:16], order)
    return int.from_bytes(data[directory : directory + 8], order)
