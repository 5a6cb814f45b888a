"""Finds the keyframe to start decoding from, and its frame number, without decoding the frames before it."""

from __future__ import annotations

from typing import NamedTuple

from maskcheck.sources.video_container import VideoContainer

# Codecs with exactly one frame in each packet. In others, a packet may hold no visible frame (VP8) or several.
_ONE_FRAME_PER_PACKET = frozenset(
    {"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "vp9", "av1"}
)


class KeyFrame(NamedTuple):
    """A keyframe: it can be decoded without the frames before it.

    Attributes:
        stamp: Presentation time stamp, in units of the stream's time base.
        decoding_stamp: Decoding time stamp, which some formats seek by.
        number: Number of the frame, from 0.
    """

    stamp: int
    decoding_stamp: int
    number: int


def key_frame_before(video: VideoContainer, start: float) -> KeyFrame | None:
    """The last keyframe at or before a time; None if it cannot be determined, so that decoding must start at 0.

    This reads the packets up to that time and decodes none of them.

    Args:
        video: The file. Do not read from it afterwards: its position has changed.
        start: Seconds from the start of the video.
    """
    import av

    stream = video.stream
    base, zero = stream.time_base, video.start_stamp
    if not base or zero is None or stream.codec_context.name not in _ONE_FRAME_PER_PACKET:
        return None
    last = zero + start / base
    key: int | None = None
    key_decoding = 0
    before_key = 0  # packets
    since_key: list[int] = []  # stamps of the packets after it, some of which are shown before it
    try:
        for packet in video.container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            stamp = packet.pts
            if stamp is None or packet.is_corrupt:
                return None
            if packet.is_keyframe:
                if stamp > last:
                    break
                if key is not None and stamp <= key:
                    return None
                before_key += len(since_key)
                key, since_key = stamp, [stamp]
                key_decoding = stamp if packet.dts is None else min(stamp, packet.dts)
            elif key is None:
                return None  # the file begins with frames that cannot be decoded
            else:
                since_key.append(stamp)
    except av.FFmpegError:
        return None
    if key is None or before_key == 0:
        return None
    leading = sum(stamp < key for stamp in since_key)
    return KeyFrame(key, key_decoding, before_key + leading)
