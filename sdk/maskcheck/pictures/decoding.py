"""Decoding: whatever a caller calls a picture becomes one uint8 BGR array, upright.

This is the only place that decodes, so orientation is applied once and the size limit holds everywhere.
"""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from maskcheck.errors import ImageError, ImageTooLarge
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits

BGRImage: TypeAlias = NDArray[np.uint8]
"""A picture: uint8, shape (H, W, 3), blue-green-red like OpenCV."""

ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Image.Image"
"""A path, an encoded file as bytes, an array (see :func:`load_image`) or a ``PIL.Image``."""

# Only formats that describe a raster picture: Pillow would otherwise hand an .eps to Ghostscript.
# MPO needs no name of its own: Pillow opens it as the JPEG that it begins with.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "JPEG2000", "PPM", "AVIF")
_READERS = ("Avif", "Bmp", "Gif", "Jpeg", "Jpeg2K", "Png", "Ppm", "Tiff", "WebP")

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib"}
    | {".tif", ".tiff", ".gif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".avif"}
)
"""File name endings, in lower case, that a search through a folder takes for pictures."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, shape (H, W, 3), BGR, C-contiguous, EXIF orientation applied.
        notes: What was left out while decoding, in words (an animation's other frames, say).
    """

    pixels: BGRImage
    notes: tuple[str, ...] = ()


def load_image(image: ImageLike, *, limits: DecodingLimits = DEFAULT_LIMITS, source: str | None = None) -> Picture:
    """Decode a picture.

    Args:
        image: A path; the bytes of an encoded file; a ``PIL.Image``; or an array: uint8 or uint16 of
            shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Alpha is dropped, 16 bits become 8
            by dropping the lower byte, grey is repeated. Of an animated file, the first frame is taken.
        limits: What the picture may cost; more is refused before it is decoded. Pillow has a limit of its own, 179
            megapixels (``PIL.Image.MAX_IMAGE_PIXELS``), which an application may lift.
        source: A name for error messages, where `image` has none of its own.

    Raises:
        ImageError: The file is missing, empty, cut off or not a picture, or the array has another shape or dtype.
        ImageTooLarge: More than a limit allows.
    """
    if isinstance(image, np.ndarray):
        return Picture(_from_array(image, limits, source))
    if isinstance(image, Image.Image):
        return _from_pil(image, limits, source)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(image), limits, source)
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        return _from_bytes(_read(path), limits, str(path))
    raise ImageError(f"expected a path, bytes, numpy.ndarray or PIL.Image, got {type(image).__name__}", source=source)


@cache
def _formats() -> tuple[str, ...]:
    # Until it is told, Pillow knows only a few; Image.init() would load sixty more, of formats that are never opened.
    for name in _READERS:
        with suppress(ImportError):  # not every build has every format
            import_module(f"PIL.{name}ImagePlugin")
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"no such file: {path}", source=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if isinstance(error, OSError) and path.is_dir():  # what opening a folder raises depends on the system
            raise ImageError(f"expected a picture file, but this is a folder: {path}", source=str(path)) from None
        raise ImageError(f"cannot read {path}: {error}", source=str(path)) from error


def _from_bytes(data: bytes, limits: DecodingLimits, source: str | None) -> Picture:
    name = source or "the file"
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)", source=source)
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as opened:  # reads the header only
            return _from_pil(opened, limits, source)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"{name} is not a picture in a known format (it begins with {data[:8]!r})", source=source
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # a warning, if made an error
        # Pillow's own limit, which comes first. Its message has the only account of the size.
        pixels, limit = (int(number) for number in re.findall(r"\d+", str(error))[:2])
        tightest = limits.max_pixels if pixels > limits.max_pixels else limit
        raise _too_large(f"{pixels / 1e6:.1f}", pixels, tightest, source) from error
    except Exception as error:  # on broken headers, Pillow's readers raise OSError, ValueError, struct.error, ...
        raise ImageError(f"{name} is damaged: {error}", source=source) from error


def _from_pil(image: Image.Image, limits: DecodingLimits, source: str | None) -> Picture:
    _check_size(image.height, image.width, limits, source)
    try:
        # A phone's MPO holds a preview or a second lens beside the picture: nothing is lost by taking the first.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        chosen = image.tell() > 0  # a caller's own image may stand at another frame
        image.load()
        upright, notes = _upright(image)
        pixels = _rgb(upright)
    except ImageError:
        raise
    except Exception as error:  # on broken data, Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{source or 'the picture'} cannot be decoded: {error}", source=source) from error
    if frames > 1 and not chosen:
        notes = (f"only the first of {frames} frames was read", *notes)
    return Picture(np.ascontiguousarray(pixels[..., ::-1]), notes)


_ORIENTATION = 0x0112  # EXIF tag; its values: CIPA DC-008, 4.6.4
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    # Not ImageOps.exif_transpose: it writes all EXIF data anew, and fails on any tag that is broken.
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF data; the pixels are whole, so the picture is not lost
        return image, ("its EXIF data are damaged, so its orientation is not known",)
    if orientation in _TRANSPOSITIONS:
        return image.transpose(_TRANSPOSITIONS[orientation]), ()
    return image, ()


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would clip to white
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise ImageError("32-bit grey values: expected 8 or 16 bits a channel; convert the picture first")
        return np.repeat((grey.astype(np.uint16) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == "F":
        raise ImageError("floating-point pixels: expected 8 or 16 bits a channel; convert the picture first")
    if image.has_transparency_data:  # convert("RGB") would drop alpha too, but not from every mode
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _from_array(array: NDArray[Any], limits: DecodingLimits, source: str | None) -> BGRImage:
    expected = "expected uint8 (or uint16) of shape (H, W, 3) BGR, (H, W, 4) BGRA, (H, W, 1) or (H, W)"
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype not in (np.uint8, np.uint16) or not shaped or 0 in array.shape:
        raise ImageError(f"{expected}, got {array.dtype} of shape {array.shape}", source=source)
    _check_size(array.shape[0], array.shape[1], limits, source)
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def _check_size(height: int, width: int, limits: DecodingLimits, source: str | None) -> None:
    pixels = height * width
    if pixels > limits.max_pixels:
        raise _too_large(f"{width} x {height} = {pixels / 1e6:.1f}", pixels, limits.max_pixels, source)


def _too_large(size: str, pixels: int, limit: int, source: str | None) -> ImageTooLarge:
    return ImageTooLarge(
        f"{source or 'the picture'} has {size} megapixels, more than the limit of {limit / 1e6:.1f};"
        " raise max_pixels (--max-megapixels) to allow it",
        source=source,
        pixels=pixels,
        limit=limit,
    )
