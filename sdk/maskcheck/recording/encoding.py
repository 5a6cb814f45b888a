"""Pictures to packets of a video: the codec, its settings, and the change from BGR."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np

from maskcheck.errors import PackageNotInstalled
from maskcheck.pictures.decoding import BGRImage

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame

Preset: TypeAlias = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]

_CODECS = ("libx264", "mpeg4")  # the first one that PyAV's FFmpeg has
_QUALITY = {"libx264": {"crf": "23"}, "mpeg4": {"flags": "+qscale", "global_quality": str(3 * 118)}}
_SMALLEST = 16  # pixels of a side: a block of the codecs
_KEY_FRAME_EVERY = 2.0  # seconds; a player jumps to these
_HIGH_DEFINITION = 720  # rows from which colours are those of BT.709; below, of BT.601
_MOST_UNITS = 65535  # of time in a second, in MPEG-4
_TIME_BASE = Fraction(1, 90_000)  # where the source says none: that of MPEG, in which all usual frame rates are whole
_FINEST, _COARSEST = Fraction(1, 1_000_000), Fraction(1, 1_000)  # time bases that are taken over
_BT709, _BT601 = 1, 6  # as the standards number colours, transfer and matrix alike
_LIMITED_RANGE = 1


def import_av() -> Any:
    """The module of PyAV.

    Raises:
        PackageNotInstalled: It is missing.
    """
    try:
        import av
    except ImportError as error:
        raise PackageNotInstalled(
            f"writing video needs the package av, which cannot be imported ({error}); install it:"
            ' pip install "maskcheck[video]"',
            package="av",
        ) from error
    return av


def find_codec() -> str:
    """Name of the encoder that is used.

    Raises:
        PackageNotInstalled: PyAV is missing, or has none of them.
    """
    av = import_av()
    for name in _CODECS:
        try:
            av.Codec(name, "w")
        except ValueError:
            continue
        return name
    raise PackageNotInstalled(
        f"the installed PyAV has none of {', '.join(_CODECS)}, which write video; install its wheel: pip install av",
        package="av",
    )


def time_base_for(codec: str, wanted: tuple[int, int] | None) -> Fraction:
    """Seconds of one unit of the time stamps that an encoder is given.

    Args:
        codec: As :func:`find_codec` gives it.
        wanted: That of the source, which is taken over if it is fine enough and the codec takes it.
    """
    time_base = _TIME_BASE if wanted is None or not all(wanted) else Fraction(*wanted)
    if not _FINEST <= time_base <= _COARSEST:
        time_base = _TIME_BASE
    return Fraction(1, 60_000) if codec == "mpeg4" and time_base.denominator > _MOST_UNITS else time_base


class Encoder:
    """Encodes pictures of one size; those of another are fitted in.

    Sides are even, as players want it: a last column or row is doubled where it is needed.

    Args:
        container: Where the packets will go; a stream is added to it.
        codec: As :func:`find_codec` gives it.
        size: ``(width, height)`` of the first picture, in pixels.
        time_base: Seconds of one unit of the time stamps.
        frame_rate: Frames a second, about; the codec spends its bits by it.
        preset: How long libx264 may look for a shorter way to say the same.
    """

    def __init__(
        self,
        container: OutputContainer,
        codec: str,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        frame_rate: float | None,
        preset: Preset = "superfast",
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self.size = size
        self._coded = tuple(max(_SMALLEST, side + side % 2) for side in size)
        rate = Fraction(frame_rate or 25).limit_denominator(1001)
        # No B-frames: they need another 20 to 40% of the time, and hold pictures back.
        options = {**_QUALITY[codec], "bf": "0"}
        if codec == "libx264":
            options["preset"] = preset
        if codec == "libx264" and preset == "superfast":  # a sixth of the time less for a file that is 7% larger
            options["coder"] = "vlc"
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        context = stream.codec_context
        context.width, context.height = self._coded
        context.pix_fmt = "yuv420p"
        self._stream = stream
        self.time_base = time_base
        stream.time_base = context.time_base = time_base
        context.gop_size = max(1, round(_KEY_FRAME_EVERY * rate))
        self._matrix = _BT709 if size[1] >= _HIGH_DEFINITION else _BT601
        context.color_primaries = context.color_trc = context.colorspace = self._matrix
        context.color_range = _LIMITED_RANGE
        self._reformatter = VideoReformatter()

    def prepare(self, image: BGRImage, pts: int) -> VideoFrame:
        """A frame for :meth:`encode`; it is a copy.

        Args:
            image: uint8 (H, W, 3), BGR.
            pts: Its time stamp.
        """
        from av.video.frame import VideoFrame
        from av.video.reformatter import Colorspace

        frame = VideoFrame.from_numpy_buffer(np.ascontiguousarray(self._fitted(image)), "bgr24")
        frame = self._reformatter.reformat(
            frame,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709 if self._matrix == _BT709 else Colorspace.ITU601,
        )
        frame.pts, frame.time_base = pts, self.time_base
        return frame

    def encode(self, frame: VideoFrame | None) -> list[Packet[Any]]:
        """The packets that are finished now.

        Args:
            frame: As :meth:`prepare` gives it; None at the end, for those that are held back.
        """
        packets: list[Packet[Any]] = self._stream.encode(frame)
        return packets

    def _fitted(self, image: BGRImage) -> BGRImage:
        height, width = image.shape[:2]
        if (width, height) != self.size:
            image = _letterboxed(image, self.size)
        right, bottom = self._coded[0] - self.size[0], self._coded[1] - self.size[1]
        if right or bottom:
            image = np.pad(image, ((0, bottom), (0, right), (0, 0)), mode="edge")
        return image


def _letterboxed(image: BGRImage, size: tuple[int, int]) -> BGRImage:
    """A picture scaled to fit into a size, in the middle of black."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = max(1, min(size[0], round(width * scale))), max(1, min(size[1], round(height * scale)))
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    return canvas
