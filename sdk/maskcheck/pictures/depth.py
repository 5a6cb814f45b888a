"""Depth: which 8-bit values the grey levels of measuring cameras and programs become.

========================  =======================================================================================
values                    become
========================  =======================================================================================
16 bits                   their high byte; where a file tells that fewer bits are in use, the highest 8 of those
integers within 0..255    themselves, however wide the type
integers within 0..65535  their high byte
floats within 0..1        255 times as much, rounded
floats within 0..255      themselves, rounded
others                    refused
========================  =======================================================================================

Floats that were stored with a loss may lie a little outside of their range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import ImageError

_DARK = 1 << 12  # 16-bit values that all are below may come from a camera of 12 bits or fewer


def bits_in_use(largest: Any, bits: int = 16) -> int:
    """Bits of a value, by the largest that a file says it may have; `bits` where it does not say, or nonsense."""
    try:
        largest = int(largest[0] if isinstance(largest, (tuple, list)) else largest)
    except (TypeError, ValueError, OverflowError, IndexError):
        return bits
    return min(largest.bit_length(), bits) if largest >= 255 else bits


def from_16_bits(values: NDArray[np.uint16], bits: int = 16) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The highest 8 of the bits in use, and a note where the picture is very dark because fewer may be in use.

    Args:
        values: uint16, any shape.
        bits: In use, 8 to 16; if a value needs more, all 16 are taken to be.
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
    """Grey levels or channels as uint8 by the table above, and notes.

    Args:
        values: Integers or floats, any shape, at least one value.
        bits: In use, where the file tells.
        loss: How far floats may lie outside of their range, as a part of white.

    Raises:
        ImageError: The values are in no range that says what is black and what white.
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
        note = f"its {values.dtype.itemsize * 8}-bit values are all within 0..255, and were taken for 8 bits"
        return values.astype(np.uint8), (note,) if largest else ()
    return from_16_bits(values.astype(np.uint16, copy=False), bits)


def _from_floats(values: NDArray[Any], loss: float) -> NDArray[np.uint8]:
    smallest, largest = float(values.min()), float(values.max())
    white = 1 if largest <= 1 + loss else 255
    known = smallest >= -loss * white and (white == 1 or 2 <= largest <= 255 * (1 + loss))
    if not known:  # NaN, which compares with nothing, too
        raise ImageError(
            f"floating-point pixels from {smallest:g} to {largest:g}: expected 8 or 16 bits a channel, or values from"
            " 0 to 1 or 0 to 255; convert the picture first"
        )
    scaled: NDArray[Any] = np.rint(values * 255 if white == 1 else values)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)
