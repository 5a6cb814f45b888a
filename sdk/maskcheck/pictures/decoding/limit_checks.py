"""The limits, checked against the file and the header of a picture before it is decoded."""

from __future__ import annotations

import re

from PIL import Image

from maskcheck.errors import ImageTooLarge
from maskcheck.pictures.decoding.jpeg import jpeg_scans
from maskcheck.pictures.decoding.jpeg2000 import jpeg2000_cost
from maskcheck.pictures.limits import DecodingLimits

_OPTIONS = {
    "max_pixels": "--max-megapixels",
    "max_side": "--max-side",
    "max_file_bytes": "--max-megabytes",
    "max_scans": "--max-scans",
}


def check_file_size(size: int, limits: DecodingLimits, source: str | None, *, at_least: bool = False) -> None:
    """Refuse a file that is too large.

    Args:
        size: In bytes.
        limits: ``max_file_bytes`` holds.
        source: A name for the error message.
        at_least: The file may have more than `size` bytes: it was not read to its end.

    Raises:
        ImageTooLarge: It has too many bytes.
    """
    if size > limits.max_file_bytes:
        megabytes = f"{'over ' if at_least else ''}{min(size, 10**18) / 1e6:.1f} MB"
        raise _too_large(limits, "max_file_bytes", f"has {megabytes}", source)


def check_size(height: int, width: int, limits: DecodingLimits, source: str | None) -> None:
    """Refuse a picture of too many pixels or with too long a side.

    Raises:
        ImageTooLarge: It is above ``max_pixels`` or ``max_side``.
    """
    pixels = height * width
    if pixels > limits.max_pixels:
        size = f"has {width} x {height} = {pixels / 1e6:.1f} megapixels"
        raise _too_large(limits, "max_pixels", size, source, pixels)
    if max(height, width) > limits.max_side:
        raise _too_large(limits, "max_side", f"is {width} x {height} pixels", source, pixels)


def check_cost(image: Image.Image, data: bytes, limits: DecodingLimits, source: str | None) -> None:
    """Refuse a JPEG of too many scans, or a JPEG 2000 of too many code blocks.

    Raises:
        ImageTooLarge: It is above ``max_scans`` or ``max_pixels``.
    """
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        most = limits.scans_of(pixels)
        if jpeg_scans(data, most) > most:
            scans = f"has over {most} scans at {pixels / 1e6:.1f} megapixels"
            raise _too_large(limits, "max_scans", scans, source, pixels)
    elif image.format == "JPEG2000" and (cost := jpeg2000_cost(data)) is not None:
        counted = max(cost.tile_samples * 2 // 3, cost.code_blocks * 100)
        if counted > limits.max_pixels:
            size = f"is a JPEG 2000 with {cost.code_blocks} code blocks, which counts as {counted / 1e6:.1f} megapixels"
            raise _too_large(limits, "max_pixels", size, source, pixels)


def pillows_limit_error(
    error: Image.DecompressionBombError | Image.DecompressionBombWarning, limits: DecodingLimits, source: str | None
) -> ImageTooLarge:
    """The error for a picture above Pillow's own limit, which Pillow checks before it returns the header."""
    pixels, pillows_limit = (int(number) for number in re.findall(r"\d+", str(error))[:2])  # only its message has them
    size = f"has {pixels / 1e6:.1f} megapixels"
    if pixels > limits.max_pixels:
        return _too_large(limits, "max_pixels", size, source, pixels)
    return ImageTooLarge(
        f"{source or 'the picture'} {size}, more than Pillow's own limit of {pillows_limit:,} pixels allows;"
        " raise PIL.Image.MAX_IMAGE_PIXELS to allow it",
        source=source,
        pixels=pixels,
        limit=pillows_limit,
    )


def _too_large(limits: DecodingLimits, what: str, size: str, source: str | None, pixels: int = 0) -> ImageTooLarge:
    limit = getattr(limits, what)
    return ImageTooLarge(
        f"{source or 'the picture'} {size}, more than {what} = {limit:,} allows;"
        f" raise {what} ({_OPTIONS[what]}) to allow it",
        source=source,
        pixels=pixels,
        limit=limit,
        what=what,
    )
