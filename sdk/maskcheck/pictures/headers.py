"""What an encoded file tells before it is decoded: its format, its frames, and what decoding it costs.

Megapixels do not tell the cost of every picture: a JPEG may go over them ten thousand times, a JPEG 2000 may cut them
into millions of blocks, a GIF may have frames without end. All functions here look at bytes alone, and stop at a bound.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II\0*", "TIFF"),  # of writers that confuse the byte order
    (b"MM*\0", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),  # its codestream alone
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),  # its codestream alone
    (b"8BPS\0\1", "Photoshop"),
    (b"8BPS\0\2", "Photoshop"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),  # Olympus
    (b"IIRS", "camera raw"),
    (b"IIU\0", "camera raw"),  # Panasonic
    (b"IIII", "camera raw"),  # Leaf, Phase One
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_ANY_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})  # of both: the others in the list tell
_WHITE = frozenset(b" \t\r\n#")


def picture_format(head: bytes) -> str | None:
    """The picture format that a file has by its first bytes, or None if it is no picture.

    Formats that maskcheck cannot decode are among them ("HEIC", "JPEG XL", "Photoshop", "camera raw"), so that a search
    through a folder can say that a picture was left out. Bytes that begin like a picture need not be one.

    Args:
        head: The first 64 bytes of the file; fewer if it has fewer.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _brand(head)
    # Two or three letters begin many files: more is asked of them.
    if head[:2] == b"BM" and len(head) >= 18 and head[6:10] == b"\0\0\0\0" and head[15:18] == b"\0\0\0":
        return "BMP"
    if head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F") and len(head) > 2:
        rest = head[2:].lstrip(b" \t\r\n")
        return "PNM" if head[2] in _WHITE and rest[:1] and rest[:1] in b"#0123456789" else None
    return None


def _brand(head: bytes) -> str | None:
    """HEIC, AVIF, JPEG 2000 or raw by the brands of an ISO base media file, which may also be a film."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    for brand in brands[:1] if brands[0] not in _ANY_BRANDS else brands:
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIF_BRANDS:
            return "HEIC"
        if brand == b"crx ":
            return "camera raw"
        if brand == b"jp2 " or brand == b"jpx ":
            return "JPEG 2000"
    return "HEIC" if brands[0] in _ANY_BRANDS else None


# --- JPEG (ITU-T T.81, annex B)

_PARTS = 20_000  # most segments, blocks and chunks that are followed: a file may consist of nothing else
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END = 0xDA, 0xD9


def jpeg_scans(data: bytes, most: int) -> int:
    """How often a JPEG goes over its picture: 1, but for progressive ones and those with a scan for each colour.

    Counting stops at ``most + 1``.
    """
    progressive, components, at = False, 0, 2
    for _ in range(_PARTS):
        marker, at = _next_marker(data, at)
        if marker is None or marker == _END:
            return 0
        if marker in _WITHOUT_LENGTH:
            continue
        if marker in _FRAME_HEADERS and at + 8 <= len(data):
            progressive, components = marker in _PROGRESSIVE, data[at + 7]
        if marker == _SCAN:
            break
        at += int.from_bytes(data[at : at + 2], "big")
    else:
        return most + 1
    if not progressive and at + 2 < len(data) and data[at + 2] >= components:
        return 1  # all colours in one scan: the decoder takes no other
    # Every scan has such bytes, so that these are the most; thumbnails and comments may have them too.
    if data.count(b"\xff\xda", at - 2) <= most:
        return data.count(b"\xff\xda", at - 2)
    return _count_scans(data, at - 2, most)


def jpeg_has_all_scans(data: bytes) -> bool:
    """Whether the scans that a JPEG has begun hold all of its picture: every colour, every frequency, every bit."""
    missing: dict[int, list[int]] = {}  # of each component's 64 frequencies, the lowest bit that is there; 99 for none
    at = 2
    for _ in range(_PARTS):
        marker, at = _next_marker(data, at)
        if marker is None or marker == _END:
            break
        if marker in _WITHOUT_LENGTH or marker == 0:
            continue
        if marker in _FRAME_HEADERS and at + 8 <= len(data):
            missing = {number: [99] * 64 for number in data[at + 8 : at + 8 + 3 * data[at + 7] : 3]}
        length = int.from_bytes(data[at : at + 2], "big")
        if marker == _SCAN:
            if at + length > len(data) or length < 6:
                break
            count = data[at + 2]
            first, last, bits = data[at + length - 3], data[at + length - 2], data[at + length - 1]
            for number in data[at + 3 : at + 3 + 2 * count : 2]:
                if number in missing:
                    missing[number][first : last + 1] = [bits & 15] * (last + 1 - first)
            at = _end_of_scan(data, at + length)
        else:
            at += length
    return bool(missing) and all(bits == [0] * 64 for bits in missing.values())


def _count_scans(data: bytes, at: int, most: int) -> int:
    scans = 0
    for _ in range(_PARTS + most):
        marker, at = _next_marker(data, at)
        if marker is None or marker == _END:
            return scans
        if marker in _WITHOUT_LENGTH or marker == 0:
            continue
        if marker == _SCAN:
            scans += 1
            if scans > most:
                return scans
        at += int.from_bytes(data[at : at + 2], "big")
        if marker == _SCAN:
            at = _end_of_scan(data, at)
    return most + 1


def _next_marker(data: bytes, at: int) -> tuple[int | None, int]:
    """The next marker's second byte, and the place after it."""
    at = data.find(b"\xff", at)
    while 0 <= at < len(data) - 1 and data[at + 1] == 0xFF:  # fill bytes
        at += 1
    return (data[at + 1], at + 2) if 0 <= at < len(data) - 1 else (None, len(data))


def _end_of_scan(data: bytes, at: int) -> int:
    found = _AFTER_A_SCAN.search(data, at)
    return found.start() if found else len(data)


_AFTER_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a scan's own FF is followed by 0 or a restart marker


# --- JPEG 2000 (ITU-T T.800, annex A)


def jpeg2000_blocks(data: bytes) -> tuple[int, int] | None:
    """Samples of a tile, and code blocks of the whole picture, by the header of a JPEG 2000; None if it has none.

    A decoder holds 4 bytes or more for each sample of a tile, and some 300 bytes for each block.
    """
    start = 0 if data.startswith(b"\xff\x4f\xff\x51") else data.find(b"\xff\x4f\xff\x51", 0, 1_000_000)
    if start < 0 or len(data) < start + 42:
        return None
    width, height, left, top, tile_width, tile_height, _, _, components = struct.unpack_from(">8IH", data, start + 8)
    width, height = max(1, width - left), max(1, height - top)
    tile_width, tile_height = min(max(1, tile_width), width), min(max(1, tile_height), height)
    at = start + 4 + int.from_bytes(data[start + 4 : start + 6], "big")
    levels, across, down, precincts = 5, 64, 64, b""
    for _ in range(100):  # up to the first tile
        marker, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (b"", b"\xff\x90") or length < 2:
            break
        if marker == b"\xff\x52" and length >= 12 and at + 14 <= len(data):  # COD
            levels, across, down = data[at + 9], 4 << (data[at + 10] & 15), 4 << (data[at + 11] & 15)
            precincts = data[at + 14 : at + 2 + length] if data[at + 4] & 1 else b""
        at += 2 + length
    tiles = -(-width // tile_width) * -(-height // tile_height)
    blocks = 0
    for level in range(min(levels, 32) + 1):  # 0: the smallest picture; then three bands each
        shrunk = levels - max(level - 1, 0)
        size = precincts[level] if level < len(precincts) else 0xFF
        part = 1 if level == 0 else 2  # a precinct is measured on the picture, of which a band has half
        block_width = min(across, max(1, (1 << (size & 15)) // part))
        block_height = min(down, max(1, (1 << (size >> 4)) // part))
        band_width, band_height = -(-tile_width // (1 << shrunk)), -(-tile_height // (1 << shrunk))
        blocks += (1 if level == 0 else 3) * -(-band_width // block_width) * -(-band_height // block_height)
    return tile_width * tile_height * components, tiles * blocks * components


# --- parts: Pillow goes through them one by one, in Python, before it knows the size of the picture


def has_too_many_parts(data: bytes) -> bool:
    """Whether there are so many chunks, segments, entries or comments before the pixels that reading them takes long.

    Twenty thousand are allowed, and more in large files: programs write a PNG in chunks of 8 kB or more.
    """
    most = _PARTS + len(data) // 4096
    if data.startswith(b"\xff\xd8"):
        return _segments_before_scan(data, most) > most
    if data.startswith(b"\x89PNG"):
        at = 8
        for _ in range(most):
            if at + 8 > len(data):
                return False
            at += 12 + int.from_bytes(data[at : at + 4], "big")
        return True
    if data.startswith(b"GIF8"):
        return _blocks_before_image(data, most) > most
    if data[:4] in (b"II+\0", b"MM\0+"):  # a BigTIFF, whose directory may have 2^64 entries
        order = "little" if data[:2] == b"II" else "big"
        at = int.from_bytes(data[8:16], order)  # type: ignore[arg-type]
        return int.from_bytes(data[at : at + 8], order) > most  # type: ignore[arg-type]
    if data[:1] == b"P" and picture_format(data[:64]) == "PNM":
        return len(data) > _PNM_HEADER and len(re.sub(rb"#[^\r\n]*", b"", data[:_PNM_HEADER]).split(None, 3)) < 4
    return False


_PNM_HEADER = 65_536  # bytes; comments may stand in it


def _segments_before_scan(data: bytes, most: int) -> int:
    at = 2
    for count in range(most + 1):
        marker, at = _next_marker(data, at)
        if marker is None or marker in (_SCAN, _END):
            return count
        if marker not in _WITHOUT_LENGTH and marker != 0:
            at += int.from_bytes(data[at : at + 2], "big")
    return most + 1


def _blocks_before_image(data: bytes, most: int) -> int:
    at = 13 + _palette_bytes(data[10]) if len(data) > 10 else len(data)
    blocks = 0
    while at < len(data) and data[at] not in (0x2C, 0x3B) and blocks <= most:
        blocks += 1
        if data[at] != 0x21:
            at += 1
            continue
        at += 2
        while at < len(data) and data[at] and blocks <= most:
            at += 1 + data[at]
            blocks += 1
        at += 1
    return blocks


# --- frames and pages


def gif_frames(data: bytes, most: int) -> int:
    """Frames of a GIF; counting stops at ``most + 1``, also where the file has too many blocks to follow."""
    if len(data) < 13:
        return 0
    at = 13 + _palette_bytes(data[10])
    frames = 0
    blocks = _GIF_BLOCKS
    while at < len(data):
        kind = data[at]
        if kind == 0x2C and at + 10 < len(data):  # an image
            frames += 1
            if frames > most:
                return frames
            at += 11 + _palette_bytes(data[at + 9])
        elif kind == 0x21:  # an extension
            at += 2
        else:  # the end; bytes between blocks are skipped, as Pillow does
            if kind == 0x3B:
                break
            at += 1
            continue
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks -= 1
            if blocks < 0:
                return most + 1
        at += 1
    return frames


_GIF_BLOCKS = 5_000_000  # followed in a second


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 128 else 0


def tiff_pages(data: bytes, most: int) -> int:
    """Pages of a TIFF; counting stops at ``most + 1``."""
    return sum(1 for _ in islice(_directories(data), most + 1))


def _directories(data: bytes) -> Iterator[int]:
    order = ">" if data[:2] == b"MM" else "<"
    big = 43 in data[2:4]
    offset_form, count_form, entry_bytes, first = ("Q", "Q", 20, 8) if big else ("I", "H", 12, 4)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset_form, data, first)
        while at and at not in seen:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count_form, data, at)
            yield at
            (at,) = struct.unpack_from(
                order + offset_form, data, at + struct.calcsize(order + count_form) + entries * entry_bytes
            )
    except struct.error:  # beyond the end of the file
        return
