"""TIFF files of more than 8 bits: colours that Pillow cannot open or decodes too dark, and grey levels (TIFF 6.0)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from maskcheck.errors import ImageError
from maskcheck.pictures.decoding.bit_depth import bits_in_use, to_8_bits
from maskcheck.pictures.decoding.frame_counts import frame_count_note, tiff_pages
from maskcheck.pictures.decoding.limit_checks import check_size
from maskcheck.pictures.decoding.picture import Picture
from maskcheck.pictures.limits import DecodingLimits

_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_SAMPLES, _MAX, _SAMPLE_FORMAT, _SIGNED_MAX = 277, 281, 339, 341
_UNSIGNED, _FLOAT = 1, 3  # sample formats
_LOGLUV = 34676  # SGI LogLuv, 32 bits a pixel: how OpenCV before 4.13 writes floats, though the tags say integers
_LOGLUV_LOSS = 0.02  # measured over all colours: 0.017 of white


@dataclass(frozen=True)
class _DeepColours:
    """What the tags of a TIFF say of colours that Pillow cannot decode well."""

    width: int
    height: int
    bits: int  # of a sample, as stored
    bits_in_use: int
    is_float: bool
    loss: float  # of the compression, as a share of white


def grey_bits_in_use(image: Image.Image) -> int:
    """How many bits of a 16-bit grey value are in use, by the tags of a TIFF; 16 for any other image."""
    tags: Any = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return 16
    try:
        bits = int(tags.get(_BITS, (16,))[0])
        if 8 < bits < 16:
            return bits
        return bits_in_use(tags.get(_SIGNED_MAX, tags.get(_MAX)))
    except Exception:  # tags of another type or count
        return 16


def decode_deep_tiff(data: bytes, limits: DecodingLimits, source: str | None) -> Picture | None:
    """Decode a TIFF whose colours are floats or use fewer than 16 of 16 bits; None for any other file.

    Args:
        data: The encoded file.
        limits: ``max_pixels``, ``max_side`` and ``max_frames`` hold.
        source: A name for error messages.

    Raises:
        ImageError: It cannot be decoded, or its values are in no range that says what is black and what white.
        ImageTooLarge: It is above a limit.
    """
    if data[:2] not in (b"II", b"MM") or not {42, 43} & set(data[2:4]):
        return None
    colours = _deep_colours(data)
    if colours is None:
        return None
    check_size(colours.height, colours.width, limits, source)
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # turns a TIFF upright by itself
    name = source or "the picture"
    sides = sorted((colours.height, colours.width))
    if decoded is None or sorted(decoded.shape[:2]) != sides or decoded.ndim != 3:
        kind = "floating-point " if colours.is_float else ""
        raise ImageError(
            f"{name} is a TIFF with {colours.bits}-bit {kind}colours that cannot be decoded;"
            " convert it to 8 bits first",
            source=source,
        )
    try:
        pixels, notes = to_8_bits(np.asarray(decoded[..., :3]), colours.bits_in_use, colours.loss)
    except ImageError as error:  # from bit_depth, which does not know the source
        raise ImageError(f"{name} has {error}", source=source) from None
    return Picture(np.ascontiguousarray(pixels), frame_count_note(tiff_pages(data, limits.max_frames), limits) + notes)


def _deep_colours(data: bytes) -> _DeepColours | None:
    from PIL import TiffImagePlugin

    file = io.BytesIO(data)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:16] if 43 in data[2:4] else data[:8])
        file.seek(tags.next)
        tags.load(file)
        width, height, samples = int(tags[_WIDTH]), int(tags[_HEIGHT]), int(tags.get(_SAMPLES, 1))
        bits, sample_format = tuple(tags.get(_BITS, (1,))), next(iter(tags.get(_SAMPLE_FORMAT, (1,))))
        largest = tags.get(_SIGNED_MAX, tags.get(_MAX))
        is_logluv = tags.get(_COMPRESSION) == _LOGLUV
    except Exception:  # a broken directory: Pillow says what is wrong with it
        return None
    if samples not in (3, 4) or len(set(bits)) > 1:
        return None
    if is_logluv or (sample_format == _FLOAT and bits[0] in (32, 64)):
        return _DeepColours(width, height, bits[0], 16, is_float=True, loss=_LOGLUV_LOSS if is_logluv else 0.0)
    in_use = bits_in_use(largest)
    if sample_format == _UNSIGNED and bits[0] == 16 and in_use < 16:
        return _DeepColours(width, height, bits[0], in_use, is_float=False, loss=0.0)
    return None
