"""Annotated copies as the bytes of a file, in the format of the original, with its EXIF data and colour profile."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
from PIL import Image

from maskcheck.pictures.decoding import BGRImage

WRITABLE = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings of the formats that are written."""

_ORIENTATION = 0x0112
# Tags that describe how the original's pixels are stored, which does not apply to the copy, and previews.
_PIXEL_TAGS = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 301, 317, 318, 319, 320, 322}
    | {323, 324, 325, 330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531}
    | {532, 700, 33723, 34377, 34675}
)
_MAX_SEGMENT = 65533  # bytes of a JPEG segment after its length


def encode_copy(pixels: BGRImage, ending: str, original: Path | bytes, *, with_exif: bool = True) -> bytes:
    """Encode the annotated copy of a picture, with the original's EXIF data and colour profile.

    The copy is upright, so its orientation is 1. Previews, tags that describe how the original's pixels are stored, and
    EXIF data that are damaged or too long for the format are left out. BMP has neither EXIF data nor a profile.

    Args:
        pixels: The copy: uint8 (H, W, 3), BGR.
        ending: One of :data:`WRITABLE`, in any case.
        original: The file of the picture, or its bytes.
        with_exif: Whether the EXIF data are copied. The notes of a camera's maker may hold a preview, where no face
            is blurred.

    Raises:
        OSError: The format cannot hold the picture.
    """
    ending = ending.lower()
    exif, profile, lossless = (b"", b"", False) if ending == ".bmp" else _read_metadata(original)
    exif = exif if with_exif else b""
    if ending in (".webp", ".tif", ".tiff"):
        return _encode_with_pillow(pixels, ending, exif, profile, lossless)
    try:
        encoded, array = cv2.imencode(ending, pixels)
    except cv2.error as error:
        raise OSError(f"OpenCV cannot write it as {ending}: {error.err}") from error
    if not encoded:
        raise OSError(f"OpenCV cannot write it as {ending}")
    data = array.tobytes()
    if ending == ".png":
        return _add_to_png(data, exif, profile)
    return data if ending == ".bmp" else _add_to_jpeg(data, exif, profile)


def _read_metadata(original: Path | bytes) -> tuple[bytes, bytes, bool]:
    """EXIF data (without the prefix of JPEG), RGB colour profile, and whether it is lossless WebP."""
    try:
        with Image.open(io.BytesIO(original) if isinstance(original, bytes) else original) as opened:
            profile = opened.info.get("icc_profile") or b""
            if profile[16:20] != b"RGB ":  # it is for grey or CMYK, and the copy is RGB
                profile = b""
            exif = _clean_exif(opened.getexif())
            return exif, profile, opened.format == "WEBP" and _is_lossless(original)
    except Exception:  # a reader may raise anything on damaged tags; the copy is made without them
        return b"", b"", False


def _is_lossless(original: Path | bytes) -> bool:
    if isinstance(original, bytes):
        return b"VP8L" in original[:4096]
    with original.open("rb") as file:
        return b"VP8L" in file.read(4096)


def _clean_exif(exif: Image.Exif) -> bytes:
    for tag in [tag for tag in exif if tag in _PIXEL_TAGS]:
        del exif[tag]
    if not exif:
        return b""
    if _ORIENTATION in exif:
        exif[_ORIENTATION] = 1
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


def _encode_with_pillow(pixels: BGRImage, ending: str, exif: bytes, profile: bytes, lossless: bool) -> bytes:
    image = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    kind = "WEBP" if ending == ".webp" else "TIFF"
    options: dict[str, object] = {"lossless": lossless, "quality": 95}
    if kind == "TIFF":
        options = {"compression": "tiff_lzw"}
    for metadata in ({"exif": exif, "icc_profile": profile}, {}):
        file = io.BytesIO()
        try:
            image.save(file, kind, **options, **{name: data for name, data in metadata.items() if data})
        except Exception as error:  # Pillow fails on tags of types that it cannot write
            failure = error
        else:
            return file.getvalue()
    raise OSError(f"Pillow cannot write it as {ending}: {failure}") from failure


def _add_to_jpeg(data: bytes, exif: bytes, profile: bytes) -> bytes:
    """Insert segments after the start of the file and its JFIF segment."""
    segments = []
    if exif and len(exif) + 6 <= _MAX_SEGMENT:
        segments.append((0xE1, b"Exif\x00\x00" + exif))
    step = _MAX_SEGMENT - 14
    parts = [profile[start : start + step] for start in range(0, len(profile), step)]
    if len(parts) < 256:
        segments += [
            (0xE2, b"ICC_PROFILE\x00" + bytes([number, len(parts)]) + part) for number, part in enumerate(parts, 1)
        ]
    inserted = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    start = 2
    if data[2:4] == b"\xff\xe0":
        start = 4 + int.from_bytes(data[4:6], "big")
    return data[:start] + inserted + data[start:]


def _add_to_png(data: bytes, exif: bytes, profile: bytes) -> bytes:
    """Insert chunks after the header."""
    chunks = b""
    if profile:
        chunks += _png_chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(profile))
    if exif:
        chunks += _png_chunk(b"eXIf", exif)
    end_of_header = 8 + 25
    return data[:end_of_header] + chunks + data[end_of_header:]


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
