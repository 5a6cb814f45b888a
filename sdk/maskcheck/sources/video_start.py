"""Where reading begins so that the frame at a given time is met with its right number, without decoding all before."""

from __future__ import annotations

from typing import NamedTuple

from maskcheck.sources.video_container import VideoContainer

# Of these, each packet is one frame. Others have packets that show nothing (VP8), or several frames in one.
_FRAME_A_PACKET = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "vp9", "av1"})


class KeyFrame(NamedTuple):
    """A frame that can be decoded without those before it.

    Attributes:
        stamp: Its time stamp, in units of the stream.
        decoding_stamp: When it is to be decoded, which is where some formats look for it.
        number: Of the frame, from 0.
    """

    stamp: int
    decoding_stamp: int
    number: int


def key_frame_before(video: VideoContainer, start: float) -> KeyFrame | None:
    """The last key frame that is not after a time; None if it cannot be known, so that all must be decoded.

    It reads the file as far as that and decodes nothing.

    Args:
        video: The file, of which nothing more is read after this.
        start: Seconds from the start of the video.
    """
    import av

    stream = video.stream
    base, zero = stream.time_base, video.start_stamp
    if not base or zero is None or stream.codec_context.name not in _FRAME_A_PACKET:
        return None
    last = zero + start / base
    key: int | None = None
    key_decoding = 0
    before_key = 0  # packets
    since_key: list[int] = []  # stamps of those that follow, some of which are shown before it
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
                return None  # it begins with frames that cannot be decoded
            else:
                since_key.append(stamp)
    except av.FFmpegError:
        return None
    if key is None or before_key == 0:
        return None
    leading = sum(stamp < key for stamp in since_key)
    return KeyFrame(key, key_decoding, before_key + leading)
