"""``ResultTracker``: from the results of frames to those of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.box import Box
from maskcheck.results import Face, FrameResult
from maskcheck.tracking.face_tracker import FaceTracker
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
        time = self.time_of(result.frame, result.time)
        boxes = np.array([face.box for face in result], np.float64).reshape(-1, 4)
        numbers = self.follow(boxes, np.nan_to_num(result.scores, nan=1.0), time)
        faces = [self.labelled(face, number, self.clock) for face, number in zip(result.faces, numbers, strict=True)]
        self.forget()
        return replace(result, faces=tuple(faces))

    def predict(self, result: FrameResult) -> FrameResult:
        """Say where faces are in a frame on which the detector did not run.

        Args:
            result: Of that frame, without faces.

        Returns:
            The result with the faces that were found last, ``predicted``, as far as they are inside the picture.
        """
        places = self.expected(self.time_of(result.frame, result.time))
        return replace(result, faces=self.predicted(places, result.size))

    def follow(self, boxes: NDArray[np.float64], scores: NDArray[np.float32], time: float) -> list[int | None]:
        """The number of each detection's face, as :meth:`FaceTracker.update` gives it."""
        return self._tracker.update(boxes, scores, time)

    def frozen(self) -> FaceTracker:
        """Where faces are expected by what is known now, as :meth:`FaceTracker.frozen` gives it."""
        return self._tracker.frozen()

    def followed(self) -> frozenset[int]:
        """Numbers of the faces that have labels, and may be found again."""
        return frozenset(number for number in self._labels if self._tracker.is_followed(number))

    @property
    def clock(self) -> float:
        """Seconds at the last frame that was followed: the time of labels, as :attr:`FaceTracker.clock`."""
        return self._tracker.clock

    def forget(self) -> None:
        """Forget the labels of faces that have left, once the frames in which they were are finished."""
        for number in [number for number in self._labels if not self._tracker.is_followed(number)]:
            del self._labels[number], self._faces[number]

    def settled(self) -> frozenset[int]:
        """Numbers of the faces whose last probabilities agreed with their label."""
        return frozenset(number for number, labels in self._labels.items() if labels.settled)

    def labelled(self, face: Face, number: int | None, time: float) -> Face:
        """A face that was classified at a time of the :attr:`clock`, with the number and the label of its track."""
        if number is None:
            return face
        labels = self._labels.get(number)
        if labels is None:
            labels = self._labels[number] = TrackLabels(self._settings, face.probabilities, time)
        else:
            labels.add(face.probabilities, time)
        return self._with_track(face, number, labels)

    def found(
        self,
        box: Box,
        score: float,
        landmarks: tuple[tuple[float, float], ...] | None,
        number: int,
    ) -> Face:
        """A face that was found and not classified, with the label that its track has."""
        labels = self._labels[number]
        certainty = self._faces[number].face
        face = Face(box, labels.label, labels.confidence, labels.probabilities, score, landmarks, face=certainty)
        return self._with_track(face, number, labels)

    def recalled(self, face: Face, number: int | None, time: float) -> Face:
        """A face with probabilities from before, which its track, if it has one already, knows."""
        labels = None if number is None else self._labels.get(number)
        if number is None or labels is None:
            return self.labelled(face, number, time)
        return self._with_track(face, number, labels)

    def expected(self, time: float) -> list[tuple[int, Box]]:
        """Numbers and boxes of the faces that were found last, as :meth:`FaceTracker.predict` gives them."""
        return self._tracker.predict(time)

    def predicted(self, places: Sequence[tuple[int, Box]], size: tuple[int, int]) -> tuple[Face, ...]:
        """The faces at these places, as far as they are inside a picture of that width and height."""
        faces = []
        for number, box in places:
            clipped, face = _clipped(box, size), self._faces.get(number)
            if clipped is not None and face is not None:
                faces.append(replace(face, box=clipped, landmarks=None, predicted=True))
        return tuple(faces)

    def time_of(self, frame: int, time: float | None) -> float:
        """The time of a frame, also where it has none."""
        return frame / self._settings.frame_rate if time is None else float(time)

    def _with_track(self, face: Face, number: int, labels: TrackLabels) -> Face:
        tracked = self._faces[number] = replace(
            face,
            track_id=number,
            label=labels.label,
            confidence=labels.confidence,
            probabilities=dict(labels.probabilities),
        )
        return tracked


def _clipped(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box inside the picture; None if there is none."""
    x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(size[0])), min(box[3], float(size[1]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
