"""How many frames or pages a file has, counted without decoding and up to a limit."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from PIL import Image

from maskcheck.pictures.limits import DecodingLimits

_MAX_GIF_BLOCKS = 5_000_000  # followed in a second


def frames_note(image: Image.Image, data: bytes | None, limits: DecodingLimits) -> tuple[str, ...]:
    """A note if the file has more frames than the one that is decoded.

    Args:
        image: Opened by Pillow.
        data: The encoded file, where it is known.
        limits: ``max_frames`` bounds the counting.
    """
    if image.format == "MPO" or image.tell() > 0:
        # A phone's MPO holds a preview or a second lens beside the picture: nothing is lost by decoding the first.
        # Where a caller's image stands at another frame, the caller has chosen that frame.
        return ()
    if image.format in ("GIF", "TIFF"):  # Pillow's n_frames would go through the whole file
        count = gif_frames if image.format == "GIF" else tiff_pages
        return frame_count_note(0 if data is None else count(data, limits.max_frames), limits)
    return frame_count_note(getattr(image, "n_frames", 1), limits)


def frame_count_note(frames: int, limits: DecodingLimits) -> tuple[str, ...]:
    """The note for a file of this many frames; none for a single frame."""
    if frames <= 1:
        return ()
    most = limits.max_frames
    return (f"only the first of {frames if frames <= most else f'more than {most}'} frames was read",)


def gif_frames(data: bytes, most: int) -> int:
    """Frames of a GIF. Counting stops at ``most + 1``, which is also the answer for a file of too many blocks."""
    if len(data) < 13:
        return 0
    at = 13 + gif_palette_bytes(data[10])
    frames = blocks = 0
    while at < len(data):
        kind = data[at]
        if kind == 0x2C and at + 10 < len(data):  # an image
            frames += 1
            if frames > most:
                return frames
            at += 11 + gif_palette_bytes(data[at + 9])
        elif kind == 0x21:  # an extension
            at += 2
        elif kind == 0x3B:  # the end
            break
        else:  # Pillow skips bytes between blocks
            at += 1
            continue
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
            if blocks > _MAX_GIF_BLOCKS:
                return most + 1
        at += 1
    return frames


def gif_palette_bytes(flags: int) -> int:
    """Size of the palette that follows a GIF's header or image descriptor with these flags."""
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def tiff_pages(data: bytes, most: int) -> int:
    """Pages of a TIFF; counting stops at ``most + 1``."""
    return sum(1 for _ in islice(_tiff_directories(data), most + 1))


def _tiff_directories(data: bytes) -> Iterator[int]:
    """Position of each page's directory; directories that lead in a circle come once."""
    order = ">" if data[:2] == b"MM" else "<"
    is_big = 43 in data[2:4]
    offset_format, count_format, entry_bytes, at = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset_format, data, at)
        while at and at not in seen:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count_format, data, at)
            yield at
            next_offset = at + struct.calcsize(order + count_format) + entries * entry_bytes
            (at,) = struct.unpack_from(order + offset_format, data, next_offset)
    except struct.error:  # a position beyond the end of the file
        return
