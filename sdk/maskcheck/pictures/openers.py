"""Openers: which of Pillow's readers, and of those that a host registered with it, may open a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, UnidentifiedImageError

from maskcheck.errors import ImageError
from maskcheck.pictures.headers import picture_format

# Only formats that describe a raster picture: Pillow would otherwise hand an .eps to Ghostscript.
# MPO needs no name of its own: Pillow opens it as the JPEG that it begins with.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "JPEG2000", "PPM", "AVIF")
_READERS = ("Avif", "Bmp", "Gif", "Jpeg", "Jpeg2K", "Png", "Ppm", "Tiff", "WebP")
_PREFIX_BYTES = 16  # what Pillow shows to the openers

_INSTEAD = {
    "HEIC": 'is a HEIC picture, which needs pillow-heif: pip install "maskcheck[heif]"',
    "AVIF": "is an AVIF picture, which this Pillow cannot read: pip install --upgrade pillow (11.3 or newer)",
    "JPEG XL": "is a JPEG XL picture, which cannot be read; convert it to JPEG or PNG first",
    "Photoshop": "is a Photoshop document, which cannot be read; export it as JPEG or PNG first",
    "camera raw": "is a camera's raw file, which cannot be read; develop it to JPEG or TIFF first",
}


def open_picture(data: bytes, source: str | None) -> Image.Image:
    """The picture, with its header read and no pixel decoded.

    Raises:
        ImageError: It is none, or of a format that cannot be read here.
        Exception: What Pillow's readers raise on a damaged header.
    """
    formats = _formats()
    try:
        return Image.open(io.BytesIO(data), formats=(*formats, *_openers_of_the_host(formats)))
    except UnidentifiedImageError:
        name, found = source or "the file", picture_format(data[:64])
        if found == "HEIC":
            return _open_heif(data, name, source)
        if found in _INSTEAD:
            raise ImageError(f"{name} {_INSTEAD[found]}", source=source) from None
        if found is not None:
            raise ImageError(f"{name} is damaged: its {found} header cannot be read", source=source) from None
        raise ImageError(
            f"{name} is not a picture in a known format (it begins with {data[:8]!r})", source=source
        ) from None


def may_be_a_picture(head: bytes) -> bool:
    """Whether an opener wants to see a file that begins so, or its format is one that can be named."""
    formats = _formats()
    return picture_format(head) is not None or any(
        _accepts(Image.OPEN[name][1], head[:_PREFIX_BYTES]) for name in (*formats, *_openers_of_the_host(formats))
    )


def _accepts(accept: Callable[[bytes], Any] | None, prefix: bytes) -> bool:
    try:
        return accept is None or accept(prefix) is True or bool(accept(prefix))
    except Exception:  # Pillow takes these for a no
        return False


@cache
def _formats() -> tuple[str, ...]:
    # Until it is told, Pillow knows only a few; Image.init() would load sixty more, of formats that are never opened.
    for name in _READERS:
        with suppress(ImportError):  # not every build has every format
            import_module(f"PIL.{name}ImagePlugin")
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _openers_of_the_host(formats: tuple[str, ...]) -> list[str]:
    # Not cached: a host may register one at any time. What Pillow itself brings is not the host's wish.
    return [
        name
        for name, (factory, _) in list(Image.OPEN.items())
        if name not in formats and not str(getattr(factory, "__module__", "")).startswith("PIL.")
    ]


def _open_heif(data: bytes, name: str, source: str | None) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageError(f"{name} {_INSTEAD['HEIC']}", source=source) from None
    try:
        opened: Image.Image = HeifImageFile(io.BytesIO(data))  # without registering it: that is the host's to decide
    except SyntaxError as error:  # what Pillow's openers raise on what is not theirs
        raise ImageError(f"{name} is damaged: {error or 'its HEIC header cannot be read'}", source=source) from error
    return opened
