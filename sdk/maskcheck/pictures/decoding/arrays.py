"""NumPy arrays from the caller: their shape and dtype are checked, and they become BGR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import ImageError
from maskcheck.pictures.decoding.bit_depth import from_16_bits
from maskcheck.pictures.decoding.limit_checks import check_size
from maskcheck.pictures.decoding.picture import Picture
from maskcheck.pictures.limits import DecodingLimits

_EXPECTED = "expected uint8 (or uint16) of shape (H, W, 3) BGR, (H, W, 4) BGRA, (H, W, 1) or (H, W)"


def picture_from_array(array: NDArray[Any], limits: DecodingLimits, source: str | None) -> Picture:
    """The array as a picture: a view of it if it is contiguous uint8 BGR, else a copy.

    Args:
        array: uint8 or uint16 of shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA.
        limits: ``max_pixels`` and ``max_side`` hold.
        source: A name for error messages.

    Raises:
        ImageError: It has another shape or dtype, no pixels, or masked values.
        ImageTooLarge: It is above a limit.
    """
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ImageError("expected an array without masked values; fill them: array.filled(0)", source=source)
    array = np.asarray(array)  # a subclass may give indexing another meaning, as numpy.matrix does
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    dtype = array.dtype.newbyteorder("=") if array.dtype.kind == "u" else array.dtype
    if dtype not in (np.uint8, np.uint16) or not has_shape or 0 in array.shape:
        hint = _hint(array, has_shape=has_shape)
        raise ImageError(f"{_EXPECTED}, got {array.dtype} of shape {array.shape}{hint}", source=source)
    check_size(array.shape[0], array.shape[1], limits, source)
    notes: tuple[str, ...] = ()
    if dtype == np.uint16:
        array, notes = from_16_bits(array)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return Picture(np.ascontiguousarray(array[..., :3]), notes)


def _hint(array: NDArray[Any], *, has_shape: bool) -> str:
    if has_shape and array.dtype.kind == "f":
        return "; multiply by 255 if it is from 0 to 1, then use .astype(numpy.uint8)"
    if has_shape and array.dtype.kind in "bi":
        return f"; use {'255 * ' if array.dtype.kind == 'b' else ''}array.astype(numpy.uint8)"
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
        return "; if its channels come first, use array.transpose(1, 2, 0)"
    return ""
