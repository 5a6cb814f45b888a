"""``ResultTracker``: from the results of frames to those of a video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from maskcheck.results import Face, FrameResult
from maskcheck.tracking.face_tracker import FaceTracker
from maskcheck.tracking.motion import Box
from maskcheck.tracking.settings import TrackingSettings
from maskcheck.tracking.track_labels import TrackLabels


class ResultTracker:
    """Follows the faces of one video or camera through its results, which come in order.

    Args:
        settings: How faces are followed, and their labels averaged.

    Raises:
        PackageNotInstalled: scipy is missing.
    """

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        self._settings = settings or TrackingSettings()
        self._tracker = FaceTracker(self._settings)
        self._labels: dict[int, TrackLabels] = {}
        self._faces: dict[int, Face] = {}  # as each was last found

    def update(self, result: FrameResult) -> FrameResult:
        """Number the faces of a frame on which the detector ran.

        Returns:
            The result, in which each face has the ``track_id``, label, confidence and probabilities of its track.
        """
        time = self._time(result)
        boxes = np.array([face.box for face in result], np.float64).reshape(-1, 4)
        numbers = self._tracker.update(boxes, np.nan_to_num(result.scores, nan=1.0), time)
        faces = [
            face if number is None else self._tracked(face, number, time)
            for face, number in zip(result, numbers, strict=True)
        ]
        for number in [number for number in self._labels if not self._tracker.is_followed(number)]:
            del self._labels[number], self._faces[number]
        return replace(result, faces=tuple(faces))

    def predict(self, result: FrameResult) -> FrameResult:
        """Say where faces are in a frame on which the detector did not run.

        Args:
            result: Of that frame, without faces.

        Returns:
            The result with the faces that were found last, ``predicted``, as far as they are inside the picture.
        """
        faces = []
        for number, box in self._tracker.predict(self._time(result)):
            clipped = _clipped(box, result.size)
            if clipped is not None:
                faces.append(replace(self._faces[number], box=clipped, landmarks=None, predicted=True))
        return replace(result, faces=tuple(faces))

    def _tracked(self, face: Face, number: int, time: float) -> Face:
        labels = self._labels.get(number)
        if labels is None:
            labels = self._labels[number] = TrackLabels(self._settings, face.probabilities, time)
        else:
            labels.add(face.probabilities, time)
        tracked = self._faces[number] = replace(
            face,
            track_id=number,
            label=labels.label,
            confidence=labels.confidence,
            probabilities=dict(labels.probabilities),
        )
        return tracked

    def _time(self, result: FrameResult) -> float:
        return result.frame / self._settings.frame_rate if result.time is None else float(result.time)


def _clipped(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box inside the picture; None if there is none."""
    x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
