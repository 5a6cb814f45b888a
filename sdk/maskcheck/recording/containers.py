"""The container of a video: by its name, unless that does not take the sound."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskcheck.recording.encoding import find_codec, import_av

if TYPE_CHECKING:
    from maskcheck.recording.sound import Sound

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
VIDEO_SUFFIXES = tuple(_FORMATS)
"""Endings of the names that a video can be written to."""

# Codecs of sound that players expect in these; FFmpeg writes others too, which play nowhere else.
_SOUND = {
    "mp4": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "flac"},
    "mov": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac"},  # and PCM
}
# Packets come in order, so none waits for long for those of another stream: what waits is lost if the process dies.
_ALL = {"max_interleave_delta": "1000000"}  # microseconds
# While it is written, an MP4 is made of fragments, which a killed run leaves playable.
_FRAGMENTED = {"movflags": "frag_keyframe+delay_moov+default_base_moof", "frag_duration": "1000000", **_ALL}
# At the end, it becomes one that all players know; FFmpeg before 8.1 gets that wrong.
_HYBRID = {**_FRAGMENTED, "movflags": "hybrid_fragmented+frag_keyframe+delay_moov"}
_HYBRID_SINCE = (62, 12)  # version of libavformat


def checked_suffix(path: Path) -> str:
    """The ending of a video's name, in small letters.

    Raises:
        ValueError: It is none of those that can be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(f"expected a name that ends in {', '.join(VIDEO_SUFFIXES)}, got {path.name!r}")
    return suffix


def path_for(path: Path, sound: Sound) -> Path | None:
    """Where a video with that sound goes: to `path`, or beside it to ``NAME.mkv`` or ``NAME.mov`` if it must.

    Returns:
        The path; None if no container takes the sound.
    """
    names = (path, path.with_suffix(".mkv"), path.with_suffix(".mov"))
    return next((name for name in names if _takes(_FORMATS[checked_suffix(name)], sound)), None)


def open_container(file: Any, path: Path, *, buffer_size: int) -> Any:
    """A container to write to a file object."""
    av = import_av()
    options = _ALL
    if is_fragmented(path):
        options = _HYBRID if av.library_versions["libavformat"][:2] >= _HYBRID_SINCE else _FRAGMENTED
    return av.open(file, "w", format=_FORMATS[checked_suffix(path)], options=options, buffer_size=buffer_size)


def is_fragmented(path: Path) -> bool:
    """Whether the video is made of fragments while it is written."""
    return _FORMATS[checked_suffix(path)] != "matroska"


def _takes(form: str, sound: Sound) -> bool:
    """Whether a container takes the sound, found out by writing the beginning of a small video."""
    expected = _SOUND.get(form)
    if expected is not None and not all(
        codec in expected or (form == "mov" and codec.startswith("pcm_")) for codec in sound.codecs
    ):
        return False
    av = import_av()
    container = av.open(BytesIO(), "w", format=form)
    try:
        video = container.add_stream(find_codec(), rate=25)
        video.width = video.height = 16
        sound.add_to(container)
        container.start_encoding()
    except (ValueError, OSError):
        return False
    finally:
        with suppress(ValueError, OSError):
            container.close()
    return True
