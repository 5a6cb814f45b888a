"""Make a test video with its truth: people from the pictures of this folder walk by, and take masks off and on.

    pip install "maskcheck[video]"
    python examples/make_video.py demo demo.mp4
    python examples/make_video.py crowd25 crowd.mp4 --fps 30 --seconds 20 --seed 1

The truth is written beside the video, as `demo.truth.json`: for each frame its time and the faces (track, box in
pixels, label, visible share), and when people entered, left, took a mask off or put one on.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from video_rendering import RenderedFrame, TrueFace, render
from video_scenes import SCENES, Person, Place, Scene, make_scene

__all__ = [
    "SCENES",
    "Person",
    "Place",
    "RenderedFrame",
    "Scene",
    "TrueEvent",
    "TrueFace",
    "make_scene",
    "read_truth",
    "render",
    "true_events",
    "write",
]

IN_SIGHT = 0.5  # the visible share of a face from which on the person is there
CLOCK = 90_000  # ticks a second where the frame rate varies
SAMPLE_RATE = 48_000


class TrueEvent(NamedTuple):
    """Something that happened in the scene."""

    kind: str  # entered, left, mask_removed or mask_put_on
    track: int
    time: float  # seconds


def true_events(scene: Scene, frames: Iterable[tuple[float, list[TrueFace]]]) -> list[TrueEvent]:
    """What happened, in order of time.

    A person enters with the first frame that shows half of the face, and leaves with the last one; who is still there
    at the end of the video has not left. A mask that changes out of sight counts for nothing.
    """
    seen: dict[int, list[float]] = {}
    end = 0.0
    for end, faces in frames:
        for face in faces:
            if face.visible >= IN_SIGHT:
                seen.setdefault(face.track, []).append(end)
    events = []
    for person in scene.people:
        times = seen.get(person.track)
        if times is None:
            continue
        events.append(TrueEvent("entered", person.track, times[0]))
        if times[-1] < end:
            events.append(TrueEvent("left", person.track, times[-1]))
        for change in person.mask_changes:
            if times[0] < change <= times[-1]:
                kind = "mask_put_on" if person.masked(change) else "mask_removed"
                events.append(TrueEvent(kind, person.track, change))
    return sorted(events, key=lambda event: (event.time, event.track))


def write(
    scene: Scene,
    path: str | os.PathLike[str],
    *,
    codec: str | None = None,
    quality: int = 23,
    rotation: int = 0,
    audio: bool = False,
) -> dict[str, Any]:
    """Write the scene as a video, and its truth beside it.

    Args:
        scene: What happens, as from :func:`make_scene`.
        path: Its ending says the format of the file. An MP4 may be turned.
        codec: Name of an encoder; by default ``libx264``, or ``mpeg4`` where that is missing.
        quality: Of libx264 and libx265, from 0 (best) to 51.
        rotation: 0, 90, 180 or 270: frames are stored turned by that angle clockwise, and the file tells players to
            turn them back. The truth is about frames as they are shown.
        audio: Add a tone.

    Returns:
        The truth, as it is in the file.
    """
    import av  # only those who write videos need it

    codec = codec or ("libx264" if "libx264" in av.codecs_available else "mpeg4")
    variable = scene.variable_rate
    rate = Fraction(scene.fps).limit_denominator(1001)
    frames: list[tuple[float, list[TrueFace]]] = []
    width, height = (scene.height, scene.width) if rotation % 180 else (scene.width, scene.height)
    with av.open(os.fspath(path), "w") as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = width, height
        # H.264 of most players halves the colours' resolution, which needs even sides.
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv444p" if width % 2 or height % 2 else "yuv420p"
        if codec in ("libx264", "libx265"):
            stream.options = {"crf": str(quality), "preset": "veryfast"}
        else:
            stream.bit_rate = scene.width * scene.height * 8
        stream.codec_context.time_base = Fraction(1, CLOCK) if variable else 1 / rate
        if rotation:
            stream.set_display_rotation(rotation)
        tone = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if audio else None
        for index, frame in enumerate(render(scene)):
            frames.append((frame.time, frame.faces))
            picture = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(np.rot90(frame.image, -(rotation // 90))), "bgr24"
            )
            picture.pts = round(frame.time * CLOCK) if variable else index
            picture.time_base = stream.codec_context.time_base
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
        if tone is not None:
            assert isinstance(tone, av.AudioStream)
            for samples in _tone(scene.seconds):
                output.mux(tone.encode(samples))
            output.mux(tone.encode(None))
    truth = _truth(scene, frames)
    _truth_path(path).write_text(json.dumps(truth) + "\n", encoding="utf-8")
    return truth


def read_truth(video: str | os.PathLike[str]) -> tuple[list[tuple[float, list[TrueFace]]], list[TrueEvent]]:
    """The frames (time, faces) and the events of a video that :func:`write` made."""
    truth = json.loads(_truth_path(video).read_text(encoding="utf-8"))
    frames = [
        (
            frame["time"],
            [TrueFace(face["track"], tuple(face["box"]), face["label"], face["visible"]) for face in frame["faces"]],
        )
        for frame in truth["frames"]
    ]
    return frames, [TrueEvent(**event) for event in truth["events"]]


def _truth_path(video: str | os.PathLike[str]) -> Path:
    return Path(video).with_suffix(".truth.json")


def _truth(scene: Scene, frames: list[tuple[float, list[TrueFace]]]) -> dict[str, Any]:
    return {
        "size": [scene.width, scene.height],
        "fps": scene.fps,
        "frames": [{"time": time, "faces": [_rounded(face) for face in faces]} for time, faces in frames],
        "events": [event._asdict() for event in true_events(scene, frames)],
    }


def _rounded(face: TrueFace) -> dict[str, Any]:
    box = [round(edge, 2) for edge in face.box]
    return {"track": face.track, "box": box, "label": face.label, "visible": round(face.visible, 3)}


def _tone(seconds: float) -> Iterator[Any]:
    """Frames of sound at 440 Hz."""
    import av

    samples = np.arange(round(seconds * SAMPLE_RATE))
    wave = np.asarray(0.2 * np.sin(2 * np.pi * 440 * samples / SAMPLE_RATE), np.float32)
    for start in range(0, len(wave), 1024):
        part = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "flt", "mono")
        part.sample_rate = SAMPLE_RATE
        part.pts = start
        part.time_base = Fraction(1, SAMPLE_RATE)
        yield part


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Make a video from the command line."""
    parser = argparse.ArgumentParser(description="Make a test video, and its truth beside it.")
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("video", type=Path, help="file to write; its ending says the format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--size", type=_size, metavar="WxH")
    parser.add_argument("--noise", type=float, help="standard deviation in grey levels")
    parser.add_argument("--flicker", type=float, help="change of the brightness, as a share")
    parser.add_argument("--shake", type=float, help="way of the camera, as a share of the height")
    parser.add_argument("--variable-rate", action="store_true")
    parser.add_argument("--codec", help="encoder, such as libx264, mpeg4 or mjpeg")
    parser.add_argument("--rotation", type=int, choices=(0, 90, 180, 270), default=0)
    parser.add_argument("--audio", action="store_true", help="add a tone")
    options = vars(parser.parse_args())
    name, video = options.pop("scene"), options.pop("video")
    writing = {key: options.pop(key) for key in ("codec", "rotation", "audio")}
    truth = write(make_scene(name, **options), video, **writing)
    print(f"{video}: {len(truth['frames'])} frames, {len(truth['events'])} events; truth in {_truth_path(video)}")


if __name__ == "__main__":
    main()
