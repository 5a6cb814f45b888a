"""Ways to work on a video, each timed from its file to its last result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cv2

from maskcheck import Frame, MaskPipeline
from maskcheck.sources.video_file import VideoReader
from maskcheck_bench.folders.detect_process import time_detect
from maskcheck_bench.measuring.child_process import ProcessFailed


@dataclass(frozen=True)
class Run:
    """One run over a video.

    Attributes:
        frames: How many frames got a result.
        faces: How many faces these have.
        seconds: By the clock on the wall.
        cpu_seconds: Of all CPUs, which other programs disturb less.
    """

    frames: int
    faces: int | None
    seconds: float
    cpu_seconds: float


Way = Callable[[], Run]


def ways(
    video: Path, detector: str, options: Mapping[str, Any], *, detect_every: int, loop_frames: int, folder: Path
) -> dict[str, Way]:
    """The ways, by their names in the report; a way may be taken again and again.

    Args:
        video: A video file.
        detector: Name of a detector.
        options: Its options.
        detect_every: The detector gets every so many frames, where faces are followed.
        loop_frames: Frames, from the first one on, for the ways that are slow; their speed does not depend on it.
        folder: An empty folder, for what is written.
    """
    pipeline = MaskPipeline(detector, detector_options=options)
    with VideoReader(video) as first:
        for frame in islice(first, 3):  # warms up
            pipeline(frame)
    command = [str(video), "--detector", detector, "--detect-every", str(detect_every)]
    for name, value in options.items():
        command += ["--detector-option", f"{name}={value}"]
    json_file = folder / f"{detector}.jsonl"

    def track() -> Run:
        results = pipeline.track(VideoReader(video), detect_every=detect_every)
        return _timed(len(result) for result in results)

    def loop() -> Run:
        with VideoReader(video) as reader:
            return _timed(len(pipeline(frame)) for frame in islice(reader, loop_frames))

    def loop_of_opencv() -> Run:
        return _timed(len(pipeline(frame)) for frame in islice(_frames_by_opencv(video), loop_frames))

    def detect(*more: str) -> Run:
        taken = time_detect([*command, *more, "--json", str(json_file)])
        if taken.status:
            raise ProcessFailed(f"maskcheck detect {' '.join(command)}: its process ended with status {taken.status}")
        with json_file.open("rb") as lines:
            return Run(sum(1 for _ in lines), None, taken.seconds, taken.cpu_seconds)

    return {
        "track": track,
        "detect --json": detect,
        "detect --json --output": lambda: detect("--output", str(folder / detector)),
        "every frame": loop,
        "every frame, cv2.VideoCapture": loop_of_opencv,
    }


def _timed(faces: Iterator[int]) -> Run:
    cpu = process_time()
    started = perf_counter()
    counts = list(faces)
    return Run(len(counts), sum(counts), perf_counter() - started, process_time() - cpu)


def _frames_by_opencv(video: Path) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(video))
    index = 0
    try:
        while (taken := capture.read())[0]:
            yield Frame(taken[1], index=index)
            index += 1
    finally:
        capture.release()
