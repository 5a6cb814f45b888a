"""Memory of a process that follows, watches, sums up and writes down a long stream; the clock is simulated.

``python -m maskcheck_bench.video.long_stream FRAMES`` is such a process: it prints its memory as JSON. Its detector and
classifier are simulated, so that an hour takes minutes; the memory of the networks is measured by the scenario
``memory`` of ``maskcheck-bench run``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck import Detections, Frame, FrameResult, MaskPipeline
from maskcheck.commands.detect.result_files.results_file import ResultsFile
from maskcheck.events import Line, Watcher, Zone
from maskcheck.pictures.crops import Crops
from maskcheck.recording import VideoSummary
from maskcheck_bench.measuring.child_process import run_child

_RATE = 25.0  # frames a second
_SIZE = (128, 96)
_SIDE = 12  # of a face, in pixels
_PEOPLE = 3  # in view at a time
_STAY = 20.0  # seconds that each is in view; then another comes
_MASK_CHANGES = 7.0  # seconds after which one puts the mask on or takes it off


def simulated_frames(count: int) -> Iterator[Frame]:
    """Frames of people who come, walk from left to right, change their masks, and go: squares, bright with a mask."""
    for index in range(count):
        time = index / _RATE
        image = np.zeros((_SIZE[1], _SIZE[0], 3), np.uint8)
        for place in range(_PEOPLE):
            left = round((time / _STAY + place / _PEOPLE) % 1 * (_SIZE[0] + 2 * _SIDE)) - _SIDE
            top = 8 + place * 30
            masked = int(time / _MASK_CHANGES + place) % 2
            image[top : top + _SIDE, max(left, 0) : max(left + _SIDE, 0)] = 250 if masked else 120
        yield Frame(image, source="stream", index=index, time=time)


class SimulatedDetector:
    """Finds the squares of :func:`simulated_frames`."""

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        """The squares in a picture: uint8 (H, W, 3)."""
        boxes = []
        for place in range(_PEOPLE):
            top = 8 + place * 30
            columns = np.flatnonzero(image[top, :, 0])
            if len(columns):
                boxes.append((columns[0], top, columns[-1] + 1, top + _SIDE))
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


class SimulatedClassifier:
    """Takes bright squares for faces with a mask."""

    labels = ("with_mask", "without_mask")
    batch_size = 32

    def crop(self, image: NDArray[np.uint8], boxes: NDArray[np.floating], /) -> Crops:
        """The pixel in the middle of each box, as uint8 (N, 1, 1, 3)."""
        middles = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int)
        return np.asarray(image[middles[:, 1], middles[:, 0]].reshape(-1, 1, 1, 3), np.uint8)

    def __call__(self, crops: Crops, /) -> NDArray[np.float32]:
        """Probabilities of crops: float32 (N, 2)."""
        masked = np.where(crops[:, 0, 0, 0] > 200, 0.97, 0.03).astype(np.float32)
        return np.stack([masked, 1 - masked], axis=1)


def follow_stream(frames: int, folder: Path, each: int, look: Callable[[], None]) -> dict[str, int]:
    """Follow, watch, sum up and write down a simulated stream, all that a run does with it.

    Args:
        frames: How many.
        folder: For the results.
        each: Frames after which `look` is called.
        look: Called between frames.

    Returns:
        How many frames, faces, people and events there were.
    """
    pipeline = MaskPipeline(SimulatedDetector(), classifier=SimulatedClassifier())
    zone = Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    watcher = Watcher(zones=(zone,), lines=(Line("middle", (0.5, 0), (0.5, 1)),))
    summary = VideoSummary("stream")
    faces = events = 0
    with ResultsFile(
        folder / "results.jsonl",
        "jsonl",
        receipt=pipeline.receipt,
        receipt_path=folder / "receipt.json",
        labels=pipeline.labels,
        option="--json",
    ) as file:
        result: FrameResult
        for number, result in enumerate(pipeline.track(simulated_frames(frames), detect_every=1), 1):
            file.write(result)
            summary.add(result)
            faces += len(result)
            events += len(watcher.update(result))
            if number % each == 0:
                look()
    events += len(watcher.finish())
    content = summary.to_dict(complete=True)
    return {"frames": frames, "faces": faces, "people": content["people"]["total"], "events": events}


def measure_memory(frames: int) -> dict[str, Any]:
    """Memory of a process over a stream.

    Args:
        frames: Its frames, 25 a second: 90,000 are an hour.

    Returns:
        The megabytes at each sixtieth of the stream, and by how much the most is above those after a twelfth of it,
        when all is loaded; JSON-ready.
    """
    command = [sys.executable, "-m", "maskcheck_bench.video.long_stream", str(frames)]
    report: dict[str, Any] = json.loads(run_child(command, "the long stream"))
    megabytes = report["megabytes"]
    first = megabytes[len(megabytes) // 12 - 1]
    return report | {
        "minutes": frames / _RATE / 60,
        "first_megabytes": first,
        "last_megabytes": megabytes[-1],
        "most_over_first": max(megabytes[len(megabytes) // 12 :]) / first - 1,
    }


def _main(frames: int) -> None:
    import psutil

    process = psutil.Process()
    megabytes: list[float] = []
    with TemporaryDirectory(prefix="maskcheck-bench-") as folder:
        told = follow_stream(
            frames,
            Path(folder),
            max(frames // 60, 1),
            lambda: megabytes.append(process.memory_info().rss / 1e6),
        )
    print(json.dumps(told | {"megabytes": megabytes}))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
