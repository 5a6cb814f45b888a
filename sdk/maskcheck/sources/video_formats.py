"""File name endings and first bytes of video formats."""

from __future__ import annotations

from maskcheck.pictures.formats import picture_format

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ogv", ".ogm", ".flv", ".f4v"}
    | {".mpg", ".mpeg", ".mpe", ".m2v", ".m1v", ".vob", ".m2ts", ".m2t", ".wmv", ".asf", ".mxf", ".rm", ".rmvb", ".dv"}
    | {".y4m", ".ivf", ".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc", ".nut"}
)
"""File name endings of videos, in lower case. ``.ts`` and ``.mts`` are missing because TypeScript has them too; such
files are recognised by their first bytes."""

HEAD_BYTES = 2 * 192 + 5
"""Number of bytes that :func:`is_video` needs."""

_AUDIO_SUFFIXES = frozenset({".mka", ".m4a", ".m4b", ".m4p", ".m4r", ".aa", ".aax", ".wma", ".ogg", ".oga", ".opus"})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax "})
_SIGNATURES = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video without a container
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",  # ASF, WMV
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02",  # MXF
    b".RMF\x00\x00",
    b"YUV4MPEG2 ",
    b"DKIF\x00\x00",  # IVF
)
_PACKETS = ((0, 188), (4, 192))  # MPEG transport streams, the second of camcorders: offset and length in bytes


def is_video(suffix: str, head: bytes) -> bool:
    """Whether the first bytes of a file are those of a video.

    Args:
        suffix: Ending of its name. The ending of an audio file rules out a video.
        head: The first :data:`HEAD_BYTES` bytes, or the whole of a shorter file.
    """
    if suffix.lower() in _AUDIO_SUFFIXES or picture_format(head) is not None:
        return False
    if head.startswith(_SIGNATURES):
        return True
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    if head[:4] == b"OggS":
        return head[28:35] == b"\x80theora"
    if head[:4] == b"FLV\x01":
        return bool(head[4:5]) and bool(head[4] & 1)
    if head[4:8] == b"ftyp":
        return head[8:12] not in _AUDIO_BRANDS
    if head[4:8] in (b"moov", b"mdat", b"wide"):  # QuickTime before ISO base media
        return True
    return any(
        len(head) > first + 2 * length and head[first] == head[first + length] == head[first + 2 * length] == 0x47
        for first, length in _PACKETS
    )
