"""Makes small videos whose frames have their number painted on them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

STEP = 7  # of brightness from one frame to the next
DARKEST = 24


def painted(number: int, size: tuple[int, int], *, noise: bool = False) -> npt.NDArray[np.uint8]:
    """A grey frame that is brighter with its number; its upper left quarter is black."""
    width, height = size
    image = np.full((height, width, 3), DARKEST + STEP * (number % 32), np.uint8)
    if noise:
        image = np.random.default_rng(number).integers(0, 256, image.shape, np.uint8)
    image[: height // 2, : width // 2] = 0
    return image


def number_of(image: npt.NDArray[np.uint8]) -> int:
    """The number painted on an upright frame."""
    height, width = image.shape[:2]
    brightness = float(np.mean(image[height * 5 // 8 :, width * 5 // 8 :]))
    return round((brightness + 2 - DARKEST) / STEP)  # where colours are stored as YUV, up to 4 are lost


def make_video(
    path: Path | str,
    frames: int = 30,
    *,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation: int = 0,
    b_frames: int = 2,
    noise: bool = False,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Make a video.

    Args:
        path: Its ending says the format.
        frames: How many.
        size: Width and height, as they are stored.
        codec: Encoder of FFmpeg.
        pixels: Pixel format.
        rate: Frames a second.
        stamps: Time stamps of the frames, in units of `time_base`; by default, one after the other.
        time_base: By default, that of the frame rate.
        rotation: Degrees counter-clockwise that the video asks to be turned by.
        b_frames: Most B-frames in a row.
        noise: Whether frames are noise, so that the file is large.
        container_options: Options of FFmpeg.
    """
    import av

    with av.open(str(path), "w", options=container_options or {}) as output:
        stream: Any = output.add_stream(codec, rate=rate, options={"qp": "4"} if codec == "libx264" else {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.gop_size = 10
        if codec in ("libx264", "mpeg4", "mpeg2video"):
            stream.max_b_frames = b_frames
        if codec != "libx264":
            stream.bit_rate = 4_000_000
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(painted(number, size, noise=noise), format="bgr24")
            frame.pts = number if stamps is None else stamps[number]
            frame.time_base = time_base or Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return Path(path)


def make_sound(path: Path | str) -> Path:
    """Make a file of one second that has only sound."""
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return Path(path)
