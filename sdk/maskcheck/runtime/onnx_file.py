"""Facts about an ONNX file, read from its bytes without a session and without the package ``onnx``.

An ONNX file is a protocol buffer: messages inside messages. Only this nesting is read, by the field numbers of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""For each message that can contain a tensor: the fields that matter, by their number."""

_METADATA = 14  # of a model
_DATA_TYPE, _INT32_DATA, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 2, 5, 9, 13, 14  # of a tensor
_INT8 = 3  # a data type
_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5


class _Field(NamedTuple):
    number: int
    kind: int
    start: int
    end: int


def has_external_data(data: bytes) -> bool:
    """Whether a tensor of an ONNX file lies in another file.

    Raises:
        ValueError: The bytes are no ONNX file.
    """
    if b"location" not in data:  # every tensor in another file has this key; most files do not contain the word
        return False
    return any(
        field.kind == _BYTES or _varint(data, field.start, field.end)[0] == 1
        for tensor in _tensors(data)
        for field in _fields(data, *tensor)
        if field.number in (_EXTERNAL_DATA, _DATA_LOCATION)
    )


def has_seven_bit_weights(data: bytes) -> bool:
    """Whether all int8 numbers in an ONNX file are from -64 to 64, as quantisation with reduced range makes them.

    Raises:
        ValueError: The bytes are no ONNX file.
    """
    return all(-64 <= number <= 64 for tensor in _tensors(data) for number in _extremes_of_int8(data, *tensor))


def metadata_not_in_utf8(data: bytes) -> list[str]:
    """Keys of the metadata entries that are not UTF-8; the bytes that are not are written as escapes.

    Raises:
        ValueError: The bytes are no ONNX file.
    """
    keys = []
    for entry in _fields(data, 0, len(data)):
        if entry.number == _METADATA and entry.kind == _BYTES:
            pair = {field.number: data[field.start : field.end] for field in _fields(data, entry.start, entry.end)}
            try:
                for text in pair.values():
                    text.decode()
            except UnicodeDecodeError:
                keys.append(pair.get(1, b"").decode(errors="backslashreplace"))
    return keys


def _extremes_of_int8(data: bytes, start: int, end: int) -> Iterator[int]:
    """The least and the largest number of an int8 tensor, all numbers if they are not stored as bytes; else none."""
    fields = list(_fields(data, start, end))
    if not any(field.number == _DATA_TYPE and _varint(data, field.start, field.end)[0] == _INT8 for field in fields):
        return
    for field in fields:
        if field.number == _RAW_DATA and field.end > field.start:
            numbers = np.frombuffer(data, np.int8, field.end - field.start, field.start)
            yield from (int(numbers.min()), int(numbers.max()))
        elif field.number == _INT32_DATA:  # one number, or several that are packed
            position = field.start
            while position < field.end:
                number, position = _varint(data, position, field.end)
                yield number - 2**64 if number >= 2**63 else number


def _tensors(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each tensor starts and ends."""
    unread = [("model", 0, len(data))]
    while unread:
        message, start, end = unread.pop()
        if message == "tensor":
            yield start, end
            continue
        inside = _INSIDE[message]
        unread.extend(
            (inside[field.number], field.start, field.end)
            for field in _fields(data, start, end)
            if field.kind == _BYTES and field.number in inside
        )


def _fields(data: bytes, start: int, end: int) -> Iterator[_Field]:
    while start < end:
        tag, start = _varint(data, start, end)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, start = _varint(data, start, end)
            stop = start + length
        elif kind == _VARINT:
            _, stop = _varint(data, start, end)
        elif kind in (_LONG, _SHORT):
            stop = start + (8 if kind == _LONG else 4)
        else:  # a group, which ONNX files do not have
            raise ValueError(f"field {number} has the unknown wire type {kind}")
        if stop > end:
            raise ValueError(f"field {number} ends after its message")
        yield _Field(number, kind, start, stop)
        start = stop


def _varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A number of the variable-length encoding, and the position after it."""
    value = 0
    for index in range(start, min(start + 10, end)):
        value |= (data[index] & 0x7F) << 7 * (index - start)
        if data[index] < 0x80:
            return value, index + 1
    raise ValueError("a number has no end")
