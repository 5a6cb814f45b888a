"""Which of Pillow's readers may open a file: those of raster formats, and those that the application registered."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, UnidentifiedImageError

from maskcheck.errors import ImageError
from maskcheck.pictures.formats import HEAD_BYTES, picture_format

# Only raster formats: for an .eps, Pillow would run Ghostscript. MPO is opened as the JPEG that it begins with.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "JPEG2000", "PPM", "AVIF")
_PLUGINS = ("Avif", "Bmp", "Gif", "Jpeg", "Jpeg2K", "Png", "Ppm", "Tiff", "WebP")
_PREFIX_BYTES = 16  # what Pillow passes to a reader's accept function

_WHAT_TO_DO = {
    "HEIC": 'is a HEIC picture, which needs pillow-heif: pip install "maskcheck[heif]"',
    "AVIF": "is an AVIF picture, which this Pillow cannot read: pip install --upgrade pillow (11.3 or newer)",
    "JPEG XL": "is a JPEG XL picture, which cannot be read; convert it to JPEG or PNG first",
    "Photoshop": "is a Photoshop document, which cannot be read; export it as JPEG or PNG first",
    "camera raw": "is a camera raw file, which cannot be read; export it as JPEG or TIFF first",
}


def open_picture(data: bytes, source: str | None) -> Image.Image:
    """Open an encoded picture: its header is read, its pixels are not decoded.

    Raises:
        ImageError: It is not a picture, or of a format that cannot be read here.
        Exception: Whatever Pillow's readers raise on a damaged header.
    """
    formats = _allowed_formats()
    try:
        return Image.open(io.BytesIO(data), formats=(*formats, *_formats_of_the_application(formats)))
    except UnidentifiedImageError:
        name, format_name = source or "the file", picture_format(data[:HEAD_BYTES])
        if format_name == "HEIC":
            return _open_heic(data, name, source)
        if format_name in _WHAT_TO_DO:
            raise ImageError(f"{name} {_WHAT_TO_DO[format_name]}", source=source) from None
        if format_name is not None:
            raise ImageError(f"{name} is damaged: its {format_name} header cannot be read", source=source) from None
        raise ImageError(
            f"{name} is not a picture in a known format (it begins with {data[:8]!r})", source=source
        ) from None


def may_be_a_picture(head: bytes) -> bool:
    """Whether a file with these first bytes has a known format, or one that a reader of the application accepts."""
    formats = _allowed_formats()
    return picture_format(head) is not None or any(
        _accepts(Image.OPEN[name][1], head[:_PREFIX_BYTES])
        for name in (*formats, *_formats_of_the_application(formats))
    )


def _accepts(accept: Callable[[bytes], Any] | None, prefix: bytes) -> bool:
    try:
        return accept is None or bool(accept(prefix))
    except Exception:  # Pillow takes this as a no
        return False


@cache
def _allowed_formats() -> tuple[str, ...]:
    # Pillow loads most readers on demand. Image.init() would load sixty more that are never used here.
    for name in _PLUGINS:
        with suppress(ImportError):  # not every build has every format
            import_module(f"PIL.{name}ImagePlugin")
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _formats_of_the_application(allowed: tuple[str, ...]) -> list[str]:
    # Not cached: an application may register a reader at any time. Pillow's own other readers are left out.
    return [
        name
        for name, (factory, _) in list(Image.OPEN.items())
        if name not in allowed and not str(getattr(factory, "__module__", "")).startswith("PIL.")
    ]


def _open_heic(data: bytes, name: str, source: str | None) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageError(f"{name} {_WHAT_TO_DO['HEIC']}", source=source) from None
    try:
        # Not registered with Pillow: the application decides that.
        opened: Image.Image = HeifImageFile(io.BytesIO(data))
    except SyntaxError as error:  # what Pillow's readers raise on data that they do not know
        raise ImageError(f"{name} is damaged: {error or 'its HEIC header cannot be read'}", source=source) from error
    return opened
