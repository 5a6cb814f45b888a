"""JPEG markers (ITU-T T.81, annex B): the scans of a file, read without decoding it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

_MAX_MARKERS = 20_000  # most that are followed: a file may consist of nothing else
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # 00: an escaped FF, which is no marker
_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+([^\xff])")  # any number of FF bytes may come before the marker's second byte
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # inside a scan, FF is escaped or begins a restart


def jpeg_scans(data: bytes, most: int) -> int:
    """How many scans a JPEG has: how often the decoder goes over the whole picture.

    A baseline JPEG usually has 1, or 1 for each colour; a progressive one has about 10.

    Args:
        data: The encoded file.
        most: Counting stops at ``most + 1``.
    """
    progressive, components, scans = False, 0, 0
    for count, (marker, at) in enumerate(_markers(data)):
        if scans > most or count > _MAX_MARKERS + most:
            return most + 1
        if marker in _FRAME_HEADERS and not scans and at + 8 <= len(data):
            progressive, components = marker in _PROGRESSIVE, data[at + 7]
        if marker != _SCAN:
            continue
        scans += 1
        if scans > 1:
            continue
        if not progressive and at + 2 < len(data) and data[at + 2] >= components:
            return 1  # all colours in one scan: the decoder ignores any further scan
        # Much faster than following the markers, and never too low: thumbnails and comments may have these bytes too.
        if (candidates := data.count(b"\xff\xda", at - 2)) <= most:
            return candidates
    return scans


def jpeg_has_all_scans(data: bytes) -> bool:
    """Whether the scans that have begun hold the whole picture: every colour, every frequency, every bit."""
    lowest_bits: dict[int, list[int]] = {}  # for each component, of each of 64 frequencies; 99 while it is missing
    for marker, at in islice(_markers(data), _MAX_MARKERS):
        if marker in _FRAME_HEADERS and at + 8 <= len(data):
            lowest_bits = {component: [99] * 64 for component in data[at + 8 : at + 8 + 3 * data[at + 7] : 3]}
        if marker != _SCAN:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if at + length > len(data) or length < 6:
            break
        first, last, bits = data[at + length - 3 : at + length]
        for component in data[at + 3 : at + 3 + 2 * data[at + 2] : 2]:
            if component in lowest_bits:
                lowest_bits[component][first : last + 1] = [bits & 15] * (last + 1 - first)
    return bool(lowest_bits) and all(bits == [0] * 64 for bits in lowest_bits.values())


def jpeg_parts_before_scan(data: bytes, most: int) -> tuple[int, int]:
    """Markers before the first scan, and bytes of padding between them, which Pillow reads one by one.

    Args:
        data: The encoded file.
        most: Counting stops at ``most + 1`` markers.
    """
    at, padding = 2, 0
    for markers in range(most + 1):
        found = _MARKER.search(data, at)
        if found is None:
            return markers, padding + len(data) - at
        padding += found.end() - 2 - at
        marker, at = found[1][0], found.end()
        if marker in (_SCAN, _END):
            return markers, padding
        if marker not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return most + 1, padding


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """The second byte of each marker up to the end marker, and the position after it.

    A consumer has to stop by itself: a file may hold millions of markers.
    """
    at = 2
    while (found := _MARKER.search(data, at)) is not None and found[1][0] != _END:
        marker, at = found[1][0], found.end()
        yield marker, at
        if marker in _WITHOUT_LENGTH:
            continue
        at += int.from_bytes(data[at : at + 2], "big")
        if marker == _SCAN:
            next_marker = _MARKER_AFTER_SCAN.search(data, at)
            at = next_marker.start() if next_marker else len(data)
