"""Results of a stream, with the tracks that their faces belong to."""

from __future__ import annotations

from collections.abc import Generator

from maskcheck.results import FrameResult
from maskcheck.tracking.result_tracker import ResultTracker
from maskcheck.tracking.settings import TrackingSettings


def track_results(
    results: Generator[FrameResult, None, None], *, detect_every: int, settings: TrackingSettings | None
) -> Generator[FrameResult, None, None]:
    """Give each face its track; on frames that the detector did not get, faces are predicted.

    Args:
        results: In order; every `detect_every`-th has what the detector found, the others have no faces.
        detect_every: 1 or more.
        settings: Of the tracker; by default, its own.
    """
    settings = settings or TrackingSettings()
    tracker = ResultTracker(settings)
    source: str | None = None
    try:
        for position, result in enumerate(results):
            if position and result.source != source:
                tracker = ResultTracker(settings)
            source = result.source
            if result.error is not None:
                yield result
            elif position % detect_every == 0:
                yield tracker.update(result)
            else:
                yield tracker.predict(result)
    finally:
        results.close()
