"""Bit depth: how 16-bit, 32-bit and floating-point values become 8 bits.

========================  =======================================================================================
values                    become
========================  =======================================================================================
16 bits                   their high byte; if the file says that fewer bits are in use, the highest 8 of those
integers within 0..255    unchanged, whatever their type
integers within 0..65535  their high byte
floats within 0..1        multiplied by 255 and rounded
floats within 0..255      rounded
others                    an ``ImageError``
========================  =======================================================================================

Floats from a lossy compression may lie slightly outside their range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import ImageError

_DARK = 1 << 12  # a picture whose 16-bit values are all below this may come from a camera of 12 bits or fewer


def bits_in_use(largest: Any, bits: int = 16) -> int:
    """How many of a value's bits are in use.

    Args:
        largest: The largest value, as a tag of the file states it: a number, a tuple with a number, or None.
        bits: The answer where the tag is missing or makes no sense.
    """
    try:
        largest = int(largest[0] if isinstance(largest, (tuple, list)) else largest)
    except (TypeError, ValueError, OverflowError, IndexError):
        return bits
    return min(largest.bit_length(), bits) if largest >= 255 else bits


def from_16_bits(values: NDArray[np.uint16], bits: int = 16) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The highest 8 of the bits in use; and a note on a very dark picture, which may use fewer bits than it says.

    Args:
        values: uint16, any shape, at least one value.
        bits: How many bits are in use, 8 to 16; ignored if a value needs more.
    """
    largest = int(values.max())
    if largest >> bits:
        bits = 16
    notes: tuple[str, ...] = ()
    if bits == 16 and 0 < largest < _DARK:
        notes = (
            f"it is very dark: its 16-bit values go up to {largest} of 65535; if only"
            f" {max(8, largest.bit_length())} bits are in use, scale them first",
        )
    return (values >> (bits - 8)).astype(np.uint8), notes


def to_8_bits(values: NDArray[Any], bits: int = 16, loss: float = 0.0) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Grey levels or channels as uint8, converted as the table above says; and notes.

    Args:
        values: Integers or floats, any shape, at least one value.
        bits: How many bits of an integer are in use, if the file says so.
        loss: How far floats may lie outside their range, as a share of white.

    Raises:
        ImageError: The values are in no range that says what is black and what white. The message lacks its subject,
            because only the caller knows the source.
    """
    if values.dtype == np.uint8:
        return values, ()
    if values.dtype.kind == "f":
        return _from_floats(values, loss), ()
    smallest, largest = int(values.min()), int(values.max())
    if smallest < 0 or largest > 0xFFFF:
        raise ImageError(
            f"{values.dtype.itemsize * 8}-bit grey values from {smallest} to {largest}: expected 8 or 16 bits a"
            " channel; convert the picture first"
        )
    if largest <= 0xFF and bits == 16:
        note = f"its {values.dtype.itemsize * 8}-bit values are all within 0..255 and were read as 8 bits"
        return values.astype(np.uint8), (note,) if largest else ()
    return from_16_bits(values.astype(np.uint16, copy=False), bits)


def _from_floats(values: NDArray[Any], loss: float) -> NDArray[np.uint8]:
    smallest, largest = float(values.min()), float(values.max())
    white = 1 if largest <= 1 + loss else 255
    in_range = smallest >= -loss * white and (white == 1 or 2 <= largest <= 255 * (1 + loss))
    if not in_range:  # NaN too, because it compares as false
        raise ImageError(
            f"floating-point pixels from {smallest:g} to {largest:g}: expected 8 or 16 bits a channel, or values from"
            " 0 to 1 or 0 to 255; convert the picture first"
        )
    scaled: NDArray[Any] = np.rint(values * 255 if white == 1 else values)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)
