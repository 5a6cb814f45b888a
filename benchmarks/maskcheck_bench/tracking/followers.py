"""The trackers that are compared: ours, and those of the package ``trackers`` where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.tracking import FaceTracker, TrackingSettings
from maskcheck_bench.tracking.scenes import SceneFrame

Follow = Callable[[SceneFrame], NDArray[np.int64]]
"""Gives the identity of each detection of the next frame; -1 for none."""


def followers() -> tuple[dict[str, Callable[[float], Follow]], list[str]]:
    """Makers of trackers, which take the frame rate, by name; and the names of packages that are missing."""
    found: dict[str, Callable[[float], Follow]] = {"maskcheck": _ours}
    try:
        supervision, trackers = import_module("supervision"), import_module("trackers")
    except ImportError:
        return found, ["trackers"]

    def peer(make: Callable[[float], Any]) -> Callable[[float], Follow]:
        return lambda rate: _theirs(make(rate), supervision.Detections)

    found["ByteTrack, BIoU(0.5)"] = peer(
        lambda rate: trackers.ByteTrackTracker(
            frame_rate=rate, lost_track_buffer=60, iou=trackers.BIoU(0.5), minimum_consecutive_frames=1
        )
    )
    found["ByteTrack"] = peer(lambda rate: trackers.ByteTrackTracker(frame_rate=rate, lost_track_buffer=60))
    found["SORT"] = peer(lambda rate: trackers.SORTTracker(frame_rate=rate, lost_track_buffer=60))
    found["OC-SORT"] = peer(lambda rate: trackers.OCSORTTracker(frame_rate=rate, lost_track_buffer=60))
    found["BoT-SORT"] = peer(
        lambda rate: trackers.BoTSORTTracker(frame_rate=rate, lost_track_buffer=60, enable_cmc=False)
    )
    return found, []


def _ours(rate: float) -> Follow:
    tracker = FaceTracker(TrackingSettings(frame_rate=rate))

    def follow(frame: SceneFrame) -> NDArray[np.int64]:
        numbers = tracker.update(frame.boxes, frame.scores, frame.time)
        return np.array([-1 if number is None else number for number in numbers], np.int64)

    return follow


def _theirs(tracker: Any, detections: Any) -> Follow:
    def follow(frame: SceneFrame) -> NDArray[np.int64]:
        count = len(frame.boxes)
        numbers = np.full(count, -1, np.int64)
        given = detections(
            xyxy=frame.boxes.astype(np.float32).reshape(-1, 4),
            confidence=frame.scores,
            class_id=np.zeros(count, int),
            data={"place": np.arange(count)},
        )
        result = tracker.update(given)
        if len(result) and result.tracker_id is not None:
            numbers[result.data["place"]] = result.tracker_id  # a tracker may change their order
        return numbers

    return follow
