"""What the modules that read video files share: loading PyAV, its limits, its errors and its pixels."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.errors import PackageNotInstalled
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

# FFmpeg's own limit comes first, but its error does not give the size. So frames up to this factor above the limit
# reach our check, whose error does.
_FFMPEG_LIMIT_FACTOR = 4


def import_pyav(what: str) -> ModuleType:
    """PyAV, as a module.

    Args:
        what: What needs it, for the message: ``reading videos``.

    Raises:
        PackageNotInstalled: It cannot be imported.
    """
    try:
        import av
    except ImportError as error:
        raise PackageNotInstalled(
            f'{what} needs PyAV, which cannot be imported ({error}); install it: pip install "maskcheck[video]"',
            package="av",
        ) from error
    return av


def size_options(limits: DecodingLimits) -> dict[str, str]:
    """FFmpeg's options that refuse frames far above the limits before they are decoded."""
    return {"max_pixels": str(_FFMPEG_LIMIT_FACTOR * limits.max_pixels)}


def error_text(error: Exception) -> str:
    """FFmpeg's message, without the error number and the path."""
    return getattr(error, "strerror", None) or str(error)


def quarter_turns(frame: VideoFrame) -> int:
    """Number of counter-clockwise quarter turns that make a frame upright, from 0 to 3."""
    return round(frame.rotation / 90) % 4


def upright_pixels(frame: VideoFrame, reformatter: VideoReformatter) -> BGRImage:
    """The pixels of a frame: uint8 (H, W, 3), BGR, upright, in memory of their own.

    Args:
        frame: A decoded frame.
        reformatter: Converts the colours; one for each thread.
    """
    image: BGRImage = reformatter.reformat(frame, format="bgr24").to_ndarray().astype(np.uint8, copy=False)
    turns = quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
