"""Measures live sources against a camera that is a process of this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import numpy as np
import psutil

from maskcheck import MaskPipeline, __version__
from maskcheck.sources.live import LiveReader
from maskcheck_bench.live.camera_process import ServerProcess, camera_process, free_port
from maskcheck_bench.live.marked_pictures import number_in
from maskcheck_bench.live.mjpeg_camera import CLOCK_TICKS, clock
from maskcheck_bench.log import LOGGER
from maskcheck_bench.measuring.machine import describe_machine

_STEADY = 6.0  # seconds before a cut: after a connection that lasted, the reader begins with short delays
_WARM_UP = 5  # cuts before the first count of what is left behind
_LONGEST_WAIT = 60.0


def measure_live(
    *, outages: int, cut: float, cuts: int, frames: int, picture: Path | None, pipeline: MaskPipeline | None
) -> dict[str, Any]:
    """Measure how soon a reader is back after outages, how late frames and results are, and what cuts leave behind.

    Args:
        outages: Cuts after which the return is timed; each with a camera that is killed, and one that is frozen.
        cut: Seconds that an outage lasts; each is up to a tenth longer or shorter.
        cuts: Cuts in a row by killed cameras, after which threads, file descriptors and memory are counted.
        frames: Frames whose delay is measured.
        picture: What the camera sees; None for a picture without faces.
        pipeline: Gives the results whose delay is measured; None to leave them out.

    Returns:
        The report, as JSON-ready values.
    """
    seen = ["--size", "1280x720", *(["--picture", str(picture)] if picture else [])]
    return {
        "schema": "maskcheck-live-check/1",
        "machine": describe_machine(),
        "versions": {"maskcheck": __version__},
        "picture": picture.name if picture else None,
        "back_after_seconds": {
            "killed": _summary(_outages(outages, cut, frozen=False)),
            "frozen": None if os.name == "nt" else _summary(_outages(outages, cut, frozen=True)),
        },
        "frame_delay_ms": _summary(_frame_delays(frames, seen)),
        "result_delay_ms": None if pipeline is None else _summary(_result_delays(pipeline, frames, seen)),
        "left_behind": _left_behind(cuts),
    }


class _Watch:
    """Iterates a reader in a thread, and knows when the last frame came."""

    def __init__(self, reader: LiveReader) -> None:
        self._came = threading.Condition()
        self._number = 0
        self._reader = reader
        self._thread = threading.Thread(target=self._iterate, daemon=True)
        self._thread.start()

    def next_frame_at(self) -> float:
        """Wait for a frame that comes after this call; when it came, by ``monotonic``."""
        with self._came:
            number = self._number
            if not self._came.wait_for(lambda: self._number > number, _LONGEST_WAIT):
                raise TimeoutError(f"no frame in {_LONGEST_WAIT:g} s: {self._reader.state}")
            return self._at

    def _iterate(self) -> None:
        for _ in self._reader:
            with self._came:
                self._number += 1
                self._at = monotonic()
                self._came.notify_all()


@contextmanager
def _watched(camera: ServerProcess, **options: Any) -> Iterator[tuple[LiveReader, _Watch]]:
    with camera, LiveReader(f"http://127.0.0.1:{camera.port}/", **options) as reader:
        watch = _Watch(reader)
        watch.next_frame_at()
        yield reader, watch


def _outages(number: int, cut: float, *, frozen: bool) -> list[float]:
    """For each outage, seconds from the return of the camera to the next frame."""
    random = Random(0)
    pause = threading.Event()
    seconds = []
    camera = camera_process(free_port())
    with _watched(camera) as (_, watch):
        for outage in range(number):
            pause.wait(_STEADY)
            (camera.freeze if frozen else camera.kill)()
            pause.wait(cut * random.uniform(0.9, 1.1))
            if frozen:
                began = monotonic()
                camera.thaw()
            else:
                camera.start()  # ends when the camera listens
                began = monotonic()
            seconds.append(watch.next_frame_at() - began)
            LOGGER.info("outage %d of %d: back after %.2f s", outage + 1, number, seconds[-1])
    return seconds


def _frame_delays(number: int, seen: list[str]) -> list[float]:
    """Milliseconds from the moment when the camera takes a picture until the caller has its pixels."""
    delays = []
    with (
        camera_process(free_port(), "--clock", *seen) as camera,
        LiveReader(f"http://127.0.0.1:{camera.port}/") as reader,
    ):
        for frame, _ in zip(reader, range(number + 30), strict=False):
            delays.append(_delay(np.asarray(frame.image)))
    return delays[30:]  # the first frames wait for the connection


def _result_delays(pipeline: MaskPipeline, number: int, seen: list[str]) -> list[float]:
    """Milliseconds from the moment when the camera takes a picture until its result is there."""
    delays = []
    with (
        camera_process(free_port(), "--clock", *seen) as camera,
        LiveReader(f"http://127.0.0.1:{camera.port}/") as reader,
    ):
        results = pipeline.track(reader, keep_images=True)
        for result, _ in zip(results, range(number + 30), strict=False):
            delays.append(_delay(np.asarray(result.image)))
        results.close()
    return delays[30:]


def _delay(image: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    return (clock() - number_in(image)) % (86_400 * CLOCK_TICKS) / CLOCK_TICKS * 1000


def _left_behind(cuts: int) -> dict[str, Any]:
    """What many cuts leave behind in this process."""
    process = psutil.Process()

    def count() -> dict[str, float]:
        return {
            "threads": process.num_threads(),
            "descriptors": process.num_handles() if os.name == "nt" else process.num_fds(),
            "megabytes": process.memory_info().rss / 1e6,
        }

    camera = camera_process(free_port())
    with _watched(camera, max_retry_delay=0.1) as (_, watch):
        before = count()
        for cut in range(_WARM_UP + cuts):
            if cut == _WARM_UP:
                before = count()
            camera.kill()
            camera.start()
            watch.next_frame_at()
        after = count()
    return {"cuts": cuts, "before": before, "after": after}


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "count": len(values),
        "p50": round(float(np.percentile(values, 50)), 3),
        "p95": round(float(np.percentile(values, 95)), 3),
        "most": round(max(values), 3),
    }
