"""Decoding: whatever a caller calls a picture becomes one uint8 BGR array, upright.

This is the only place that decodes, so orientation is applied once and the limits hold everywhere. Data flow one way::

    path, open file --files--> bytes --openers--> PIL.Image, header read --limits, headers--> pixels --depth--> BGR
    array, PIL.Image ---------------------------------------------------^

========================  =======================================================================
module beside this one    knows
========================  =======================================================================
:mod:`.limits`            what a picture may cost
:mod:`.files`             how bytes are read: regular files only, within the limit
:mod:`.headers`           formats by their first bytes; scans, blocks and frames of encoded bytes
:mod:`.openers`           which readers of Pillow and of the host may open a file; HEIC
:mod:`.depth`             which 8-bit values 16-bit, 32-bit and floating-point ones become
:mod:`.unfinished`        JPEG files without an end
========================  =======================================================================
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskcheck.errors import ImageError, ImageTooLarge
from maskcheck.pictures.depth import bits_in_use, from_16_bits, to_8_bits
from maskcheck.pictures.files import path_text, read_open, read_path
from maskcheck.pictures.headers import gif_frames, has_too_many_parts, jpeg2000_blocks, jpeg_scans, tiff_pages
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.pictures.openers import may_be_a_picture, open_picture

BGRImage: TypeAlias = NDArray[np.uint8]
"""A picture: uint8, shape (H, W, 3), blue-green-red like OpenCV."""

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | IO[bytes] | NDArray[Any]"
    " | Image.Image"
)
"""A path, an encoded file as bytes or open in binary mode, an array (see :func:`load_image`) or a ``PIL.Image``."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib"}
    | {".tif", ".tiff", ".gif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".avif", ".heic", ".heif", ".hif", ".jxl"}
)
"""File name endings, in lower case, that a search through a folder takes for pictures; some it can only name."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8, shape (H, W, 3), BGR, C-contiguous, EXIF orientation applied.
        notes: What was left out or guessed while decoding, in words (an animation's other frames, say).
    """

    pixels: BGRImage
    notes: tuple[str, ...] = ()


def load_image(image: ImageLike, *, limits: DecodingLimits = DEFAULT_LIMITS, source: str | None = None) -> Picture:
    """Decode a picture.

    Of an animated file the first frame is taken. HEIC needs pillow-heif, which is used where it is installed; so is an
    opener that the application registered with Pillow. A JPEG whose end is missing is decoded if all but its very last
    rows are there, and a note says so.

    Args:
        image: A path, of any kind that ``open`` takes; the bytes of an encoded file; such a file open in binary mode,
            which is read to its end and stays open; a ``PIL.Image``; or an array: uint8 or uint16 of shape (H, W),
            (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Alpha is dropped, grey is repeated, 16 bits become 8 by dropping
            the lower byte. If fewer of the 16 bits are in use and the file does not say so, the picture is dark, and a
            note says that: give such a picture as an array, shifted by ``<< 4`` for 12 bits. Grey values of files that
            are wider than 16 bits or floating-point: see :mod:`maskcheck.pictures.depth`.
            A uint8 array of shape (H, W, 3) that is C-contiguous is not copied: the picture's pixels are a view of it.
        limits: What the picture may cost; more is refused before it is decoded. Pillow has a limit of its own, 179
            megapixels (``PIL.Image.MAX_IMAGE_PIXELS``), which an application may lift.
        source: A name for error messages, where `image` has none of its own.

    Raises:
        ImageError: The file is missing, empty, cut off or not a picture, or the array has another shape or dtype.
        ImageTooLarge: More than a limit allows.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image, limits, source)
    if isinstance(image, Image.Image):
        return _from_pil(image, _encoded(image, limits), limits, source)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(image), limits, source)
    if isinstance(image, (str, os.PathLike)):
        path = path_text(image)
        return _from_bytes(read_path(path, limits, may_be_a_picture), limits, path)
    if callable(getattr(image, "read", None)):
        return _from_bytes(read_open(image, limits, source), limits, source)
    raise ImageError(f"expected a path, bytes, numpy.ndarray or PIL.Image, got {type(image).__name__}", source=source)


def _from_bytes(data: bytes, limits: DecodingLimits, source: str | None) -> Picture:
    name = source or "the file"
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)", source=source)
    if len(data) > limits.max_file_bytes:
        raise _above(limits, "max_file_bytes", f"has {len(data) / 1e6:.1f} MB,", source)
    if has_too_many_parts(data):
        raise ImageError(
            f"{name} has more chunks, segments or comments before its pixels than a picture needs; save it anew first",
            source=source,
        )
    try:
        if tiff := _unopened_tiff(data, limits, source):
            return tiff
        with open_picture(data, source) as opened:
            return _from_pil(opened, data, limits, source)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # a warning, if made an error
        # Pillow's own limit, which comes first. Its message has the only account of the size.
        pixels, limit = (int(number) for number in re.findall(r"\d+", str(error))[:2])
        tightest = limits.max_pixels if pixels > limits.max_pixels else limit
        raise _too_many_pixels(f"{pixels / 1e6:.1f}", pixels, tightest, source) from error
    except Exception as error:  # on broken headers, Pillow's readers raise OSError, ValueError, struct.error, ...
        raise ImageError(f"{name} is damaged: {error}", source=source) from error


def _encoded(image: Image.Image, limits: DecodingLimits) -> bytes | None:
    """The file that a caller's picture is yet to be decoded from; None if there is none, or no need to look at it."""
    if image.format not in ("JPEG", "MPO", "JPEG2000", "GIF", "TIFF"):
        return None
    try:
        file: Any = getattr(image, "fp", None)
        position = file.tell()
        try:
            file.seek(0)
            return bytes(file.read(limits.max_file_bytes))
        finally:
            file.seek(position)
    except Exception:  # decoded already, or closed: Pillow says which when it is asked for pixels
        return None


def _from_pil(image: Image.Image, data: bytes | None, limits: DecodingLimits, source: str | None) -> Picture:
    name = source or "the picture"
    if 0 in image.size:
        raise ImageError(f"{name} has no pixels: it is {image.width} x {image.height}", source=source)
    _check_size(image.height, image.width, limits, source)
    if data is not None:
        _check_cost(image, data, limits, source)
    notes: tuple[str, ...] = ()
    try:
        several = _frames(image, data, limits)
        try:
            image.load()
        except OSError:
            finished = _finish(image, data)
            if finished is None:
                raise
            image, notes = finished
        orientation, orientation_notes = _orientation(image)
        pixels, depth_notes = _bgr(image, orientation)
    except ImageError as error:  # of depths
        raise ImageError(f"{name} has {error}", source=source) from None
    except Exception as error:  # on broken data, Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name} cannot be decoded: {error}", source=source) from error
    return Picture(pixels, (*several, *notes, *orientation_notes, *depth_notes))


def _check_cost(image: Image.Image, data: bytes, limits: DecodingLimits, source: str | None) -> None:
    """What decoding costs beside the pixels."""
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        most = limits.scans_of(pixels)
        if jpeg_scans(data, most) > most:
            what = f"has over {most} scans, which at its {pixels / 1e6:.1f} megapixels is"
            raise _above(limits, "max_scans", what, source, pixels)
    elif image.format == "JPEG2000" and (found := jpeg2000_blocks(data)) is not None:
        samples, blocks = found
        cost = max(samples * 2 // 3, blocks * 100)
        if cost > limits.max_pixels:
            what = f"is a JPEG 2000 that costs as much as {cost / 1e6:.1f} megapixels ({blocks} code blocks),"
            raise _above(limits, "max_pixels", what, source, pixels)


def _frames(image: Image.Image, data: bytes | None, limits: DecodingLimits) -> tuple[str, ...]:
    """A note, where the file has more frames than the one that is read."""
    if image.format == "MPO" or image.tell() > 0:
        # A phone's MPO holds a preview or a second lens beside the picture: nothing is lost by taking the first.
        # A caller's own image that stands at another frame is what the caller chose.
        return ()
    most = limits.max_frames
    if image.format in ("GIF", "TIFF"):  # Pillow would go through the whole file
        frames = 1 if data is None else (gif_frames if image.format == "GIF" else tiff_pages)(data, most)
    else:
        frames = getattr(image, "n_frames", 1)
    if frames <= 1:
        return ()
    return (f"only the first of {frames if frames <= most else f'more than {most}'} frames was read",)


def _finish(image: Image.Image, data: bytes | None) -> tuple[Image.Image, tuple[str, ...]] | None:
    if data is None or image.format not in ("JPEG", "MPO"):
        return None
    from maskcheck.pictures.unfinished import finish

    return finish(data)


_ORIENTATION = 0x0112  # EXIF tag; its values: CIPA DC-008, 4.6.4


def _orientation(image: Image.Image) -> tuple[int, tuple[str, ...]]:
    # Not ImageOps.exif_transpose: it writes all EXIF data anew, and fails on any tag that is broken.
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF data; the pixels are whole, so the picture is not lost
        return 1, ("its EXIF data are damaged, so its orientation is not known",)
    return (int(orientation) if orientation is not None and orientation in range(1, 9) else 1), ()


_STRIP_PIXELS = 4_000_000  # converted at a time, so that the largest pictures are not in memory three times


def _bgr(image: Image.Image, orientation: int) -> tuple[BGRImage, tuple[str, ...]]:
    import cv2

    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits, which Pillow's own conversion would clip
        values, notes = to_8_bits(np.asarray(image), _bits_in_use(image))
        return _turned(np.asarray(cv2.cvtColor(values, cv2.COLOR_GRAY2BGR), np.uint8), orientation), notes
    height, width = image.height, image.width
    rows = max(1, _STRIP_PIXELS // width)
    if rows >= height:
        return _turned(_strip_bgr(image), orientation), ()
    across = orientation >= 5  # rows become columns
    turned = np.empty((width, height, 3) if across else (height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = _turned(_strip_bgr(image.crop((0, top, width, bottom))), orientation)
        first, last = (height - bottom, height - top) if orientation in (3, 4, 6, 7) else (top, bottom)
        if across:
            turned[:, first:last] = strip
        else:
            turned[first:last] = strip
    return turned, ()


def _strip_bgr(image: Image.Image) -> BGRImage:
    import cv2

    if image.mode not in ("L", "RGB", "RGBA"):
        # convert("RGB") would drop alpha too, but not from every mode
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    code = {"L": cv2.COLOR_GRAY2BGR, "RGB": cv2.COLOR_RGB2BGR, "RGBA": cv2.COLOR_RGBA2BGR}[image.mode]
    return np.asarray(cv2.cvtColor(np.asarray(image), code), np.uint8)


def _turned(pixels: BGRImage, orientation: int) -> BGRImage:
    import cv2

    if orientation in (5, 7):
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if orientation in (2, 4):
        return np.asarray(cv2.flip(pixels, 1 if orientation == 2 else 0), np.uint8)
    rotation = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 7: cv2.ROTATE_180, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if orientation in rotation:
        return np.asarray(cv2.rotate(pixels, rotation[orientation]), np.uint8)
    return pixels


# --- TIFF (revision 6.0)

_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_SAMPLES, _MAX, _SAMPLE_FORMAT, _SIGNED_MAX = 277, 281, 339, 341
_FLOATS = 3
_LOGLUV = 34676  # SGI LogLuv, 32 bits a pixel: how OpenCV before 4.13 writes floats, though the tags say integers
_LOGLUV_LOSS = 0.02  # measured over all colours: 0.017 of white


def _bits_in_use(image: Image.Image) -> int:
    """Of a 16-bit grey value, by what the file tells."""
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


def _unopened_tiff(data: bytes, limits: DecodingLimits, source: str | None) -> Picture | None:
    """A TIFF whose colours are floats or fill fewer than 16 bits, which Pillow cannot open or makes dark."""
    if data[:2] not in (b"II", b"MM") or not {42, 43} & set(data[2:4]):
        return None
    from PIL import TiffImagePlugin

    file = io.BytesIO(data)
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:16] if 43 in data[2:4] else data[:8])
        file.seek(tags.next)
        tags.load(file)
        width, height, samples = int(tags[_WIDTH]), int(tags[_HEIGHT]), int(tags.get(_SAMPLES, 1))
        bits, formats = tuple(tags.get(_BITS, (1,))), tuple(tags.get(_SAMPLE_FORMAT, (1,)))
        largest = tags.get(_SIGNED_MAX, tags.get(_MAX))
        logluv = tags.get(_COMPRESSION) == _LOGLUV
    except Exception:  # Pillow says what is wrong with it
        return None
    floats = logluv or (formats[0] == _FLOATS and bits[0] in (32, 64))
    fewer = not floats and formats[0] == 1 and bits[0] == 16 and bits_in_use(largest) < 16
    if samples not in (3, 4) or len(set(bits)) > 1 or not (floats or fewer):
        return None
    _check_size(height, width, limits, source)
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # turns a TIFF upright, always
    name = source or "the picture"
    if decoded is None or sorted(decoded.shape[:2]) != sorted((height, width)) or decoded.ndim != 3:
        raise ImageError(
            f"{name} is a TIFF with {bits[0]}-bit {'floating-point ' if floats else ''}colours that cannot be decoded;"
            " convert it to 8 bits first",
            source=source,
        )
    try:
        in_use, loss = bits_in_use(largest) if fewer else 16, _LOGLUV_LOSS if logluv else 0.0
        values, notes = to_8_bits(np.asarray(decoded[..., :3]), in_use, loss)
    except ImageError as error:  # of depths
        raise ImageError(f"{name} has {error}", source=source) from None
    if tiff_pages(data, 1) > 1:
        frames = tiff_pages(data, limits.max_frames)
        shown = frames if frames <= limits.max_frames else f"more than {limits.max_frames}"
        notes = (f"only the first of {shown} frames was read", *notes)
    return Picture(np.ascontiguousarray(values), notes)


# --- arrays


def _from_array(array: NDArray[Any], limits: DecodingLimits, source: str | None) -> Picture:
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ImageError(
            "expected an array that has all its pixels, got one with masked values; fill them: array.filled(0)",
            source=source,
        )
    array = np.asarray(array)  # a subclass may mean something else by indexing: a matrix stays a matrix
    expected = "expected uint8 (or uint16) of shape (H, W, 3) BGR, (H, W, 4) BGRA, (H, W, 1) or (H, W)"
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    kind = array.dtype.newbyteorder("=") if array.dtype.kind == "u" else array.dtype
    if kind not in (np.uint8, np.uint16) or not shaped or 0 in array.shape:
        hint = ""
        if shaped and array.dtype.kind == "f":
            hint = "; multiply by 255 if it is from 0 to 1, then use .astype(numpy.uint8)"
        elif shaped and array.dtype.kind in "bi":
            hint = f"; use {'255 * ' if array.dtype.kind == 'b' else ''}array.astype(numpy.uint8)"
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; if its channels come first, use array.transpose(1, 2, 0)"
        raise ImageError(f"{expected}, got {array.dtype} of shape {array.shape}{hint}", source=source)
    _check_size(array.shape[0], array.shape[1], limits, source)
    notes: tuple[str, ...] = ()
    if kind == np.uint16:
        array, notes = from_16_bits(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return Picture(np.ascontiguousarray(array[..., :3]), notes)


# --- limits


def _check_size(height: int, width: int, limits: DecodingLimits, source: str | None) -> None:
    pixels = height * width
    if pixels > limits.max_pixels:
        raise _too_many_pixels(f"{width} x {height} = {pixels / 1e6:.1f}", pixels, limits.max_pixels, source)
    if max(height, width) > limits.max_side:
        raise _above(limits, "max_side", f"is {width} x {height} pixels,", source, pixels)


_OPTIONS = {
    "max_pixels": "--max-megapixels",
    "max_side": "--max-side",
    "max_file_bytes": "--max-megabytes",
    "max_scans": "--max-scans",
}


def _above(limits: DecodingLimits, what: str, found: str, source: str | None, pixels: int = 0) -> ImageTooLarge:
    limit = getattr(limits, what)
    return ImageTooLarge(
        f"{source or 'the picture'} {found} more than {what} = {limit:,} allows;"
        f" raise {what} ({_OPTIONS[what]}) to allow it",
        source=source,
        pixels=pixels,
        limit=limit,
        what=what,
    )


def _too_many_pixels(size: str, pixels: int, limit: int, source: str | None) -> ImageTooLarge:
    return ImageTooLarge(
        f"{source or 'the picture'} has {size} megapixels, more than the limit of {limit / 1e6:.1f};"
        " raise max_pixels (--max-megapixels) to allow it",
        source=source,
        pixels=pixels,
        limit=limit,
    )
