"""What the service counts, for Prometheus."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from maskcheck.results import FrameResult

_SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the Prometheus client knows the folder where processes share their counts."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counts of a process; with several workers, :meth:`text` has the sums over all of them.

    Attributes:
        requests: Requests by route and status.
        seconds: Seconds of requests, by route.
        in_progress: Requests and streams that are not finished.
        queue: Requests that are inside and not worked on.
        refused: Requests that were refused or failed, by reason.
        pictures: Pictures and frames, by what became of them: ``done`` or ``failed``.
        faces: Faces by label.
        stages: Seconds of each stage of a picture.
        batch_faces: Faces that shared a run of the classifier.
        batch_pictures: Pictures whose faces these were.
        streams: Open connections of ``/v1/stream``.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "maskcheck_requests", "Requests by route and status.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "maskcheck_request_seconds", "Seconds of requests.", ("route",), buckets=_SECONDS, registry=registry
        )
        self.in_progress = Gauge(
            "maskcheck_requests_in_progress",
            "Requests and streams that are not finished.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue = Gauge(
            "maskcheck_queue_length",
            "Requests whose body still comes, or that wait for their turn.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.refused = Counter(
            "maskcheck_refused", "Requests that were refused or failed, by reason.", ("reason",), registry=registry
        )
        self.pictures = Counter(
            "maskcheck_pictures", "Pictures by outcome: done or failed.", ("outcome",), registry=registry
        )
        self.faces = Counter("maskcheck_faces", "Faces by label.", ("label",), registry=registry)
        self.stages = Histogram(
            "maskcheck_stage_seconds", "Seconds of a picture's stages.", ("stage",), buckets=_SECONDS, registry=registry
        )
        self.batch_faces = Histogram(
            "maskcheck_batch_faces", "Faces that were classified together.", buckets=_SIZES, registry=registry
        )
        self.batch_pictures = Histogram(
            "maskcheck_batch_pictures", "Pictures whose faces these were.", buckets=_SIZES, registry=registry
        )
        self.streams = Gauge("maskcheck_streams", "Open streams.", registry=registry, multiprocess_mode="livesum")

    def count(self, result: FrameResult | None) -> None:
        """Count a picture; None for one that failed."""
        if result is None or result.error is not None:
            self.pictures.labels("failed").inc()
            return
        self.pictures.labels("done").inc()
        for face in result:
            self.faces.labels(face.label).inc()
        timings = result.timings
        for stage in ("decode", "detect", "wait", "classify"):
            self.stages.labels(stage).observe(getattr(timings, stage) / 1000)

    def count_batch(self, pictures: int, faces: int) -> None:
        """Count a batch; any thread may do it."""
        self.batch_pictures.observe(pictures)
        self.batch_faces.observe(faces)

    def text(self) -> tuple[bytes, str]:
        """All counts as Prometheus reads them, and the type of that text."""
        registry = self._registry
        if _SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


def share_counts(folder: Path) -> None:
    """Have the processes that this one starts share their counts in a folder."""
    os.environ[_SHARED] = str(folder)
