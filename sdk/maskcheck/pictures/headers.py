"""What the first bytes of a file tell: which picture format it is."""

from __future__ import annotations

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
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
