"""Picture formats: their file name endings, and how they are recognised by their first bytes."""

from __future__ import annotations

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib"}
    | {".tif", ".tiff", ".gif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".avif", ".heic", ".heif", ".hif", ".jxl"}
)
"""File name endings, in lower case, that a folder search takes as pictures. Not all of these formats can be decoded."""

HEAD_BYTES = 64
"""How many bytes of a file :func:`picture_format` needs."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II\0*", "TIFF"),  # some programs write the byte order wrong
    (b"MM*\0", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),  # a codestream without a container
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),  # a codestream without a container
    (b"8BPS\0\1", "Photoshop"),
    (b"8BPS\0\2", "Photoshop"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),  # Olympus
    (b"IIRS", "camera raw"),
    (b"IIU\0", "camera raw"),  # Panasonic
    (b"IIII", "camera raw"),  # Leaf, Phase One
)
# Brands of ISO base media files.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_SHARED_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})  # of AVIF and HEIC: the compatible brands decide


def picture_format(head: bytes) -> str | None:
    """The picture format of a file by its first bytes, or None if they begin no known format.

    The answer may be a format that maskcheck cannot decode ("HEIC", "JPEG XL", "Photoshop", "camera raw"), so that an
    error message can name it. A file that begins like a picture may still be something else.

    Args:
        head: The first :data:`HEAD_BYTES` bytes of the file, or all of a shorter file.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _iso_media_format(head)
    # Many files that are no pictures begin with these two letters: check more of the header.
    if head[:2] == b"BM" and len(head) >= 18 and head[6:10] == b"\0\0\0\0" and head[15:18] == b"\0\0\0":
        return "BMP"
    if head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F") and head[2:3] in _PNM_SPACE:
        rest = head[2:].lstrip(b" \t\r\n")
        return "PNM" if rest[:1] and rest[:1] in b"#0123456789" else None
    return None


_PNM_SPACE = frozenset({b" ", b"\t", b"\r", b"\n", b"#"})


def _iso_media_format(head: bytes) -> str | None:
    """AVIF, HEIC, JPEG 2000 or camera raw by the brands of an ISO base media file; None for a video."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    compatible = [head[at : at + 4] for at in range(16, length - 3, 4)]
    for brand in [major, *compatible] if major in _SHARED_BRANDS else [major]:
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIC_BRANDS:
            return "HEIC"
        if brand == b"crx ":
            return "camera raw"
        if brand in (b"jp2 ", b"jpx "):
            return "JPEG 2000"
    return "HEIC" if major in _SHARED_BRANDS else None
