"""JPEG 2000 (ITU-T T.800, annex A): tiles and code blocks, which decide the memory that decoding takes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_START = b"\xff\x4f\xff\x51"  # SOC and SIZ: the codestream begins
_CODING_STYLE, _FIRST_TILE = b"\xff\x52", b"\xff\x90"


@dataclass(frozen=True)
class JPEG2000Cost:
    """What a decoder has to hold in memory.

    Attributes:
        tile_samples: Samples of a tile, of all components; each takes 4 bytes or more.
        code_blocks: Code blocks of the whole picture; each takes some 300 bytes.
    """

    tile_samples: int
    code_blocks: int


def jpeg2000_cost(data: bytes) -> JPEG2000Cost | None:
    """What decoding a JPEG 2000 costs, by its header; None if the header is missing."""
    start = 0 if data.startswith(_START) else data.find(_START, 0, 1_000_000)
    if start < 0 or len(data) < start + 42:
        return None
    width, height, left, top, tile_width, tile_height, _, _, components = struct.unpack_from(">8IH", data, start + 8)
    width, height = max(1, width - left), max(1, height - top)
    tile_width, tile_height = min(max(1, tile_width), width), min(max(1, tile_height), height)
    at = start + 4 + int.from_bytes(data[start + 4 : start + 6], "big")
    levels, nominal_width, nominal_height, precincts = 5, 64, 64, b""
    for _ in range(100):  # segments of the main header
        marker, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (b"", _FIRST_TILE) or length < 2:
            break
        if marker == _CODING_STYLE and length >= 12 and at + 14 <= len(data):
            levels, nominal_width, nominal_height = data[at + 9], 4 << (data[at + 10] & 15), 4 << (data[at + 11] & 15)
            precincts = data[at + 14 : at + 2 + length] if data[at + 4] & 1 else b""
        at += 2 + length
    tiles = -(-width // tile_width) * -(-height // tile_height)
    blocks = 0
    for level in range(min(levels, 32) + 1):  # level 0 is the smallest picture, a single band; each other has three
        halvings = levels - max(level - 1, 0)
        precinct = precincts[level] if level < len(precincts) else 0xFF
        share = 1 if level == 0 else 2  # a precinct is measured on the picture, of which a band has half
        block_width = min(nominal_width, max(1, (1 << (precinct & 15)) // share))
        block_height = min(nominal_height, max(1, (1 << (precinct >> 4)) // share))
        band_width, band_height = -(-tile_width // (1 << halvings)), -(-tile_height // (1 << halvings))
        blocks += (1 if level == 0 else 3) * -(-band_width // block_width) * -(-band_height // block_height)
    return JPEG2000Cost(tile_width * tile_height * components, tiles * blocks * components)
