"""What each part of the work on a video takes of the CPUs: each is done alone, on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskPipeline
from maskcheck.classifier.api import Classifier
from maskcheck.commands.detect.result_files.journal import journal_line
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage
from maskcheck.recording import VideoSummary, VideoWriter, draw_chart
from maskcheck.sources.video_file import VideoReader
from maskcheck.tracking import ResultTracker
from maskcheck_bench.measuring.mask_classifier import mask_classifier


class RecordedClassifier:
    """A classifier that keeps the crops of each call.

    Attributes:
        calls: The crops of each call.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.labels = classifier.labels
        self.batch_size = classifier.batch_size
        self.crop = classifier.crop
        self.calls: list[Crops] = []

    def __call__(self, crops: Crops, /) -> NDArray[np.float32]:
        """Label crops, and keep them."""
        self.calls.append(crops)
        return self._classifier(crops)


def part_costs(
    video: Path, detector: str, options: Mapping[str, Any], *, detect_every: int, frames: int
) -> dict[str, Any]:
    """CPU milliseconds a frame of the video, by part.

    Args:
        video: A video file.
        detector: Name of a detector.
        options: Its options.
        detect_every: The detector gets every so many frames.
        frames: Frames that are worked on, from the first one on; all are held in memory.

    Returns:
        The parts that all runs have, and those that an annotated copy adds, JSON-ready.
    """
    pipeline = MaskPipeline(detector, detector_options=options)
    classifier = mask_classifier(pipeline)
    pipeline.warm_up()
    reader = VideoReader(video)
    info = reader.info
    taken = list(islice(reader, frames))
    reader.close()
    images: list[BGRImage] = [frame.image for frame in taken]  # type: ignore[misc]  # a reader of videos gives arrays
    searched = images[::detect_every]

    recorded = RecordedClassifier(classifier)
    found = [pipeline.prepare(image) for image in searched]
    whole = MaskPipeline(pipeline.detector, classifier=recorded)
    results = list(whole.track(iter(taken), detect_every=detect_every))
    recorded_calls = list(recorded.calls)

    def read() -> None:
        with VideoReader(video) as again:
            for _ in islice(again, frames):
                pass

    def detect() -> None:
        for image in searched:
            pipeline.detector.detect(image)

    def cut() -> None:
        for image, frame in zip(searched, found, strict=True):
            classifier.crop(image, frame.boxes)

    def classify() -> None:
        for crops in recorded_calls:
            classifier(crops)

    def track() -> None:
        tracker = ResultTracker()
        for position, result in enumerate(results):
            tracker.predict(result) if position % detect_every else tracker.update(result)

    def write_lines() -> None:
        for result in results:
            journal_line(result)

    def draw() -> list[BGRImage]:
        return [result.draw(image) for image, result in zip(images, results, strict=True)]

    drawn = draw()

    def encode() -> None:
        with TemporaryDirectory(prefix="maskcheck-bench-") as folder:
            writer = VideoWriter(Path(folder) / video.name, like=info)
            for image, frame in zip(drawn, taken, strict=True):
                writer.write(image, frame.time or 0.0)
            writer.close()

    def sum_up() -> None:
        _summed_up(results, video.name)

    def cost(work: Callable[[], object]) -> float:
        work()  # once without a clock
        times = []
        for _ in range(3):
            before = process_time()
            work()
            times.append(process_time() - before)
        return round(min(times) / len(taken) * 1000, 3)  # what disturbs it only adds to it

    summary = _summed_up(results, video.name)
    with TemporaryDirectory(prefix="maskcheck-bench-") as folder:
        chart = Path(folder) / "chart.png"
        draw_chart(summary, chart)
        before = process_time()
        draw_chart(summary, chart)
        chart_ms = round((process_time() - before) * 1000, 1)
    return {
        "frames": len(taken),
        "faces_a_frame": sum(map(len, results)) / len(taken),
        "classified_faces_a_frame": sum(map(len, recorded_calls)) / len(taken),
        "cpu_ms_a_frame": {
            "read": cost(read),
            "detect": cost(detect),
            "cut": cost(cut),
            "classify": cost(classify),
            "track": cost(track),
            "write lines": cost(write_lines),
            "sum up": cost(sum_up),
            "draw": cost(draw),
            "encode": cost(encode),
        },
        "chart_cpu_ms": chart_ms,
    }


def _summed_up(results: list[FrameResult], name: str) -> dict[str, Any]:
    summary = VideoSummary(name, None)
    for result in results:
        summary.add(result)
    return summary.to_dict(complete=True)
