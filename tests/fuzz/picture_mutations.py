"""Changes to the structure of a picture file: its lengths, sizes, counts and the order of its parts.

A decoder notices most random bytes at once, by a wrong checksum or a missing marker. A well-formed file with other
values gets deep into it.
"""

from __future__ import annotations

import re
import struct
import zlib
from itertools import pairwise
from random import Random

from byte_mutations import SIDES, Mutation, mutate_bytes, odd_integer, replaced
from picture_seeds import Family, PictureSeed, picture_seeds, png_chunk


def mutated_picture(seed: int, index: int) -> tuple[PictureSeed, bytes]:
    """Mutated picture number `index`, and the seed picture that it was made from.

    It depends only on `seed`, `index` and the seed pictures, which Pillow writes.
    """
    random = Random(f"pictures {seed} {index}")
    seeds = picture_seeds()
    chosen = random.choice(seeds)
    same_family = tuple(other.data for other in seeds if other.family == chosen.family)
    data = chosen.data
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        try:
            if random.random() < 0.6:
                data = _STRUCTURED[chosen.family](random, data)
            else:
                data = mutate_bytes(random, data, others=same_family)
        except (ValueError, IndexError, struct.error):  # an earlier change has destroyed the structure
            data = mutate_bytes(random, data, others=same_family)
    return chosen, data[:4_000_000]


def _rearranged(random: Random, parts: list[bytes]) -> list[bytes]:
    """Parts of a file, with some of them left out, repeated, or in another order."""
    if not parts:
        return parts
    at = random.randrange(len(parts))
    match random.randrange(5):
        case 0:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return parts[:at] + [parts[at]] * random.choice((2, 3, 30, 300)) + parts[at + 1 :]
        case 2:
            other = random.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
            return parts
        case 3:
            return parts[: at + 1]
        case _:
            return [*parts[:at], parts[random.randrange(len(parts))], *parts[at:]]


def _side(random: Random) -> int:
    return random.choice(SIDES) if random.random() < 0.8 else random.randrange(1 << 17)


# JPEG: segments, each with a marker and a length; the data of a scan end at the next marker.

_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")


def _jpeg(random: Random, data: bytes) -> bytes:
    starts = [match.start() for match in _MARKER.finditer(data)]
    segments = [data[start:end] for start, end in pairwise([*starts, len(data)])]
    if len(segments) < 3:
        return mutate_bytes(random, data)
    kinds = [segment[1] for segment in segments]
    frames = [at for at, kind in enumerate(kinds) if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC)]
    scans = [at for at, kind in enumerate(kinds) if kind == 0xDA]
    choice = random.randrange(6)
    if choice == 0 and frames:
        at = random.choice(frames)
        segments[at] = _jpeg_frame(random, segments[at])
    elif choice == 1 and scans:
        at = random.choice(scans)
        segments[at] = segments[at] * random.choice((2, 10, 90, 120, 2000))
    elif choice == 2 and scans:  # its components and its range of coefficients
        at = random.choice(scans)
        changed = bytearray(segments[at])
        changed[random.randrange(min(len(changed), 14))] = random.choice((0, 1, 2, 3, 4, 63, 64, 255))
        segments[at] = bytes(changed)
    elif choice == 3:
        at = random.randrange(len(segments))
        segments[at] = replaced(segments[at], 2, odd_integer(random, 2).to_bytes(2, "big"))
    elif choice == 4:
        at = random.randrange(len(segments))
        segments[at] = segments[at][:2] + mutate_bytes(random, segments[at][2:])
    else:
        segments = segments[:1] + _rearranged(random, segments[1:])
    return b"".join(segments)


def _jpeg_frame(random: Random, segment: bytes) -> bytes:
    match random.randrange(5):
        case 0:
            return replaced(segment, 5, struct.pack(">HH", _side(random) % 65536, _side(random) % 65536))
        case 1:
            return replaced(segment, random.choice((5, 7)), struct.pack(">H", _side(random) % 65536))
        case 2:
            return replaced(segment, random.choice((4, 9)), bytes((random.choice((0, 1, 2, 3, 4, 8, 12, 16, 255)),)))
        case 3:  # the subsampling of a component
            return replaced(segment, random.choice((11, 14, 17)), bytes((random.randrange(256),)))
        case _:  # another coding process: baseline, progressive, lossless, arithmetic
            return replaced(segment, 1, bytes((random.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA)),)))


# PNG: chunks with a length and a checksum; the checksums are computed anew, so that they match.


def _png(random: Random, data: bytes) -> bytes:
    at, chunks = 8, list[tuple[bytes, bytes]]()
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return mutate_bytes(random, data)
    position = random.randrange(len(chunks))
    kind, content = chunks[position]
    wrong_length: bytes | None = None
    match random.randrange(7):
        case 0:
            chunks[0] = (chunks[0][0], _png_header(random, chunks[0][1]))
        case 1:
            chunks[position] = (kind, mutate_bytes(random, content))
        case 2:  # valid compression of other pixels, or of too few or too many
            chunks[position] = (kind, _repacked(random, content))
        case 3:
            chunks.insert(random.randint(1, len(chunks)), _added_chunk(random))
        case 4:
            wrong_length = struct.pack(">I", odd_integer(random, 4))
        case 5:
            chunks[position] = (random.choice((b"IDAT", b"fdAT", b"acTL", b"fcTL", b"tRNS", b"PLTE", b"eXIf")), content)
        case _:
            packed = _rearranged(random, [png_chunk(*chunk) for chunk in chunks])
            return data[:8] + b"".join(packed)
    packed = [png_chunk(*chunk) for chunk in chunks]
    if wrong_length is not None:
        packed[position] = wrong_length + packed[position][4:]
    return data[:8] + b"".join(packed)


def _png_header(random: Random, header: bytes) -> bytes:
    if random.random() < 0.6:
        return replaced(header, random.choice((0, 4)), struct.pack(">I", _side(random)))
    return replaced(header, random.randint(8, 12), bytes((random.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)),)))


def _repacked(random: Random, content: bytes) -> bytes:
    try:
        pixels = zlib.decompress(content)
    except zlib.error:
        return mutate_bytes(random, content)
    return zlib.compress(mutate_bytes(random, pixels), 1)


def _added_chunk(random: Random) -> tuple[bytes, bytes]:
    bomb = zlib.compress(bytes(random.choice((1000, 10_000_000))), 9)  # small, but large after decompression
    return random.choice(
        (
            (b"zTXt", b"Comment\0\0" + bomb),
            (b"iTXt", b"Comment\0\1\0\0\0" + bomb),
            (b"iCCP", b"profile\0\0" + bomb),
            (b"eXIf", b"II*\0\x08\0\0\0" + random.randbytes(40)),
            (b"acTL", struct.pack(">II", odd_integer(random, 4), 0)),
            (b"fcTL", random.randbytes(26)),
            (b"tRNS", random.randbytes(random.choice((0, 1, 2, 6, 256, 300)))),
            (b"PLTE", random.randbytes(random.choice((0, 1, 3, 768, 771)))),
            (b"gAMA", random.randbytes(4)),
        )
    )


# WebP: chunks of RIFF.


def _webp(random: Random, data: bytes) -> bytes:
    at, chunks = 12, list[bytes]()
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        end = at + 8 + length + length % 2
        chunks.append(data[at:end])
        at = end
    if not chunks:
        return mutate_bytes(random, data)
    position = random.randrange(len(chunks))
    chunk = chunks[position]
    match random.randrange(5):
        case 0:
            chunks[position] = replaced(chunk, 4, odd_integer(random, 4).to_bytes(4, "little"))
        case 1:
            chunks[position] = chunk[:8] + mutate_bytes(random, chunk[8:])
        case 2:  # the canvas, or the position and size of a frame: numbers of 3 bytes
            offset = random.choice((12, 15)) if chunk[:4] == b"VP8X" else random.choice((8, 11, 14, 17))
            chunks[position] = replaced(chunk, offset, (_side(random) % 2**24).to_bytes(3, "little"))
        case 3:  # width and height in the header of the encoded picture
            offset = random.choice((14, 16)) if chunk[:4] == b"VP8 " else 9
            chunks[position] = replaced(chunk, offset, (_side(random) % 65536).to_bytes(2, "little"))
        case _:
            chunks = _rearranged(random, chunks)
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# TIFF: directories with entries of 12 bytes: tag, type, count, value.


def _tiff(random: Random, data: bytes) -> bytes:
    order = ">" if data[:2] == b"MM" else "<"
    if len(data) < 20 or data[2:4] not in (b"*\0", b"\0*"):
        return mutate_bytes(random, data)
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > len(data):
        return mutate_bytes(random, data)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries = [start + 2 + 12 * at for at in range(count) if start + 14 + 12 * at <= len(data)]
    following = start + 2 + 12 * count
    if not entries:
        return mutate_bytes(random, data)
    entry = random.choice(entries)
    match random.randrange(8):
        case 0:  # another tag, often for how pixels are stored
            tag = random.choice(
                (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 338, 339, 347)
            )
            return replaced(data, entry, struct.pack(order + "H", tag))
        case 1:
            return replaced(data, entry + 2, struct.pack(order + "H", random.choice((0, *range(1, 19), 255))))
        case 2:
            return replaced(data, entry + 4, struct.pack(order + "I", odd_integer(random, 4)))
        case 3 | 4:
            value = _side(random) if random.random() < 0.5 else odd_integer(random, 4)
            return replaced(data, entry + 8, struct.pack(order + "I", value))
        case 5:
            value = random.choice((*range(17), 32, 64, 32_773, 32_946, 34_712, 34_925, 50_000, 50_001))
            return replaced(data, entry + 8, struct.pack(order + "H", value))
        case 6:  # the next directory: the same again, the end of the file, or anywhere
            target = random.choice((start, 8, len(data) - 4, odd_integer(random, 4)))
            return replaced(data, following, struct.pack(order + "I", target))
        case _:
            return replaced(data, start, struct.pack(order + "H", odd_integer(random, 2)))


# GIF: a canvas, then blocks; a frame has a position, a size and a code size.

_MOST_REPEATED = 100_000_000  # bytes of repeated frames; an input that was enlarged before may be large already


def _gif(random: Random, data: bytes) -> bytes:
    frames = [at for at in range(13, len(data) - 10) if data[at] == 0x2C and data[at - 1] == 0]
    match random.randrange(5):
        case 0:
            return replaced(data, 6, struct.pack("<HH", _side(random) % 65536, _side(random) % 65536))
        case 1 if frames:
            at = random.choice(frames) + random.choice((1, 3, 5, 7))
            return replaced(data, at, struct.pack("<H", _side(random) % 65536))
        case 2 if frames:
            at = random.choice(frames)
            return replaced(data, at + 9, random.randbytes(2))  # its flags and its code size
        case 3 if frames:
            at = random.choice(frames)
            repeats = min(random.choice((2, 30, 300)), max(1, _MOST_REPEATED // (len(data) - at)))
            return data[:at] + data[at:-1] * repeats + data[-1:]
        case _:
            return replaced(data, random.choice((10, 11, 12)), random.randbytes(1))


# AVIF, HEIC and JP2: nested boxes, each with a length and a type.

_SIZES = re.compile(rb"ispe|ihdr|colr|pixi|iloc|iinf|ipma|av1C|hvcC|auxC|irot|stsz|stco|stts|tkhd|jp2c|cdef|pclr")


def _boxes(random: Random, data: bytes) -> bytes:
    at, boxes = 0, list[bytes]()
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + length if length >= 8 else len(data)
        boxes.append(data[at:end])
        at = end
    inner = [match.start() for match in _SIZES.finditer(data)]
    match random.randrange(7):
        case 0 if inner:
            at = random.choice(inner) - 4
            return replaced(data, at, struct.pack(">I", odd_integer(random, 4)))
        case 1 if inner:
            at = random.choice(inner) + 4 + 4 * random.randrange(4)
            return replaced(data, at, struct.pack(">I", _side(random)))
        case 2 if inner:
            at = random.choice(inner) + random.randrange(24)
            return replaced(data, at, random.randbytes(1))
        case 3 if inner:
            at = random.choice(inner)
            return replaced(data, at, random.choice((b"free", b"ispe", b"iloc", b"ihdr", b"jp2c", b"\0\0\0\0")))
        case 4 if boxes:
            position = random.randrange(len(boxes))
            boxes[position] = replaced(boxes[position], 0, struct.pack(">I", odd_integer(random, 4)))
            return b"".join(boxes)
        case 5 if boxes:
            return b"".join(_rearranged(random, boxes))
        case _:
            return _j2k(random, data)


def _j2k(random: Random, data: bytes) -> bytes:
    size = data.find(b"\xff\x51")  # the marker segment with the sizes and positions of picture and tiles
    if size < 0:
        return mutate_bytes(random, data)
    coding = data.find(b"\xff\x52", size)
    match random.randrange(4):
        case 0 | 1:
            return replaced(data, size + 6 + 4 * random.randrange(8), struct.pack(">I", _side(random)))
        case 2:
            return replaced(data, size + 38 + random.randrange(12), random.randbytes(1))
        case _ if coding >= 0:
            return replaced(data, coding + random.randrange(2, 14), bytes((random.choice((0, 1, 5, 32, 64, 255)),)))
    return mutate_bytes(random, data)


# BMP and PPM: a short header.


def _bmp(random: Random, data: bytes) -> bytes:
    at = 14 if data[:2] == b"BM" else 0
    match random.randrange(6):
        case 0:
            side = _side(random) * random.choice((1, -1))
            return replaced(data, at + random.choice((4, 8)), struct.pack("<i", side))
        case 1:
            return replaced(data, at + 14, struct.pack("<H", random.choice((0, 1, 2, 4, 8, 16, 24, 32, 64))))
        case 2:
            return replaced(data, at + 16, struct.pack("<I", random.choice((0, 1, 2, 3, 4, 5, 6, 11))))
        case 3:
            return replaced(data, at, struct.pack("<I", random.choice((0, 12, 16, 40, 52, 56, 64, 108, 124, 2**31))))
        case 4:
            return replaced(data, at + 32, struct.pack("<I", odd_integer(random, 4)))
        case _:
            return replaced(data, random.randrange(min(len(data), 60)), struct.pack("<I", odd_integer(random, 4)))


def _ppm(random: Random, data: bytes) -> bytes:
    head, body = data[:40], data[40:]
    words = head.split(None, 4)
    at = random.randrange(len(words))
    odd = (
        b"P1",
        b"P2",
        b"P3",
        b"P4",
        b"P5",
        b"P6",
        b"P7",
        b"Pf",
        b"PF",
        b"-1",
        b"0",
        b"1e9",
        b"65535",
        b"#" * 99,
        b"nan",
    )
    number = str(_side(random)).encode()
    words[at] = random.choice(odd) if random.random() < 0.4 else number
    return b"\n".join(words) + body


_STRUCTURED: dict[Family, Mutation] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "bmp": _bmp,
    "tiff": _tiff,
    "gif": _gif,
    "boxes": _boxes,
    "j2k": _j2k,
    "ppm": _ppm,
}
