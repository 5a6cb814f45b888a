"""``load_image``: decode whatever the caller has as a picture."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image

from maskcheck.errors import ImageError
from maskcheck.pictures.decoding.arrays import picture_from_array
from maskcheck.pictures.decoding.bgr_conversion import exif_orientation, to_bgr
from maskcheck.pictures.decoding.deep_tiff import decode_deep_tiff
from maskcheck.pictures.decoding.files import path_text, read_open_file, read_path
from maskcheck.pictures.decoding.frame_counts import frames_note
from maskcheck.pictures.decoding.limit_checks import check_cost, check_file_size, check_size, pillows_limit_error
from maskcheck.pictures.decoding.part_counts import has_too_many_parts
from maskcheck.pictures.decoding.picture import ImageLike, Picture
from maskcheck.pictures.decoding.pillow_readers import may_be_a_picture, open_picture
from maskcheck.pictures.decoding.truncated_jpeg import decode_truncated_jpeg
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits


def load_image(image: ImageLike, *, limits: DecodingLimits = DEFAULT_LIMITS, source: str | None = None) -> Picture:
    """Decode a picture.

    Of an animated file, the first frame is decoded. HEIC needs pillow-heif, which is used if it is installed. Formats
    that the application registered with Pillow are opened too. A JPEG whose end is missing is decoded if at most its
    last few rows are lost, and a note says so.

    Args:
        image: A path, of any kind that ``open`` takes; the bytes of an encoded file; such a file open in binary mode,
            which is read to its end and stays open; a ``PIL.Image``; or an array: uint8 or uint16 of shape (H, W),
            (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Alpha is dropped, grey is repeated, 16 bits become 8 by dropping
            the lower byte. A camera may use fewer than 16 bits; if the file does not say so, the picture is dark and
            has a note. Shift the values of such an array first, by ``<< 4`` for 12 bits. For files with wider or
            floating-point values see :mod:`maskcheck.pictures.decoding.bit_depth`.
            A uint8 array of shape (H, W, 3) that is C-contiguous is not copied: the picture's pixels are a view of it.
        limits: A picture above one of them is refused before it is decoded. Pillow has its own limit of 179
            megapixels, twice ``PIL.Image.MAX_IMAGE_PIXELS``, which an application may lift.
        source: A name for error messages, for an `image` that has no path.

    Raises:
        ImageError: The file is missing, empty, cut off or not a picture, or the array has another shape or dtype.
        ImageTooLarge: The picture is above a limit.
    """
    if isinstance(image, np.ndarray):
        return picture_from_array(image, limits, source)
    if isinstance(image, Image.Image):
        return _decode(image, _encoded_bytes(image, limits), limits, source)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _decode_bytes(bytes(image), limits, source)
    if isinstance(image, (str, os.PathLike)):
        path = path_text(image)
        return _decode_bytes(read_path(path, limits, may_be_a_picture), limits, path)
    if callable(getattr(image, "read", None)):
        return _decode_bytes(read_open_file(image, limits, source), limits, source)
    raise ImageError(f"expected a path, bytes, numpy.ndarray or PIL.Image, got {type(image).__name__}", source=source)


def _decode_bytes(data: bytes, limits: DecodingLimits, source: str | None) -> Picture:
    name = source or "the file"
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)", source=source)
    check_file_size(len(data), limits, source)
    if has_too_many_parts(data):
        raise ImageError(
            f"{name} has more chunks, segments, boxes, comments or padding before its pixels than a picture needs;"
            " open it in a picture editor and save it again",
            source=source,
        )
    try:
        if picture := decode_deep_tiff(data, limits, source):
            return picture
        with open_picture(data, source) as opened:
            return _decode(opened, data, limits, source)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # a warning that became an error
        raise pillows_limit_error(error, limits, source) from error
    except Exception as error:  # on broken headers, Pillow's readers raise OSError, ValueError, struct.error, ...
        raise ImageError(f"{name} is damaged: {error}", source=source) from error


def _encoded_bytes(image: Image.Image, limits: DecodingLimits) -> bytes | None:
    """The file behind a caller's image, if it is not decoded yet and the checks need its bytes; else None."""
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
    except Exception:  # decoded already, or closed: if closed, Pillow says so when it decodes
        return None


def _decode(image: Image.Image, data: bytes | None, limits: DecodingLimits, source: str | None) -> Picture:
    """Decode an opened image.

    Args:
        image: Opened by Pillow; its pixels may not be decoded yet.
        data: The encoded file, where it is known.
        limits: As for :func:`load_image`.
        source: As for :func:`load_image`.
    """
    name = source or "the picture"
    if 0 in image.size:
        raise ImageError(f"{name} has no pixels: it is {image.width} x {image.height}", source=source)
    check_size(image.height, image.width, limits, source)
    if data is not None:
        check_cost(image, data, limits, source)
    try:
        notes = list(frames_note(image, data, limits))
        try:
            image.load()
        except OSError:
            truncated = decode_truncated_jpeg(data) if data and image.format in ("JPEG", "MPO") else None
            if truncated is None:
                raise
            image, note = truncated
            notes.append(note)
        orientation, orientation_notes = exif_orientation(image)
        pixels, depth_notes = to_bgr(image, orientation)
    except ImageError as error:  # from bit_depth, which does not know the source
        raise ImageError(f"{name} has {error}", source=source) from None
    except Exception as error:  # on broken data, Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name} cannot be decoded: {error}", source=source) from error
    return Picture(pixels, (*notes, *orientation_notes, *depth_notes))
