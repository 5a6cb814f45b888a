"""``LookMemory``: what the classifier said of proposals a moment ago, so that it need not look in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.second_look import absolute_boxes
from maskcheck.detectors.fusion import overlap, overlap_of_pairs
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.tracking.face_tracker import FaceTracker

_SAME = 0.5
"""Least intersection over union with where something is expected, at which a proposal is of the same thing."""


@dataclass(frozen=True, eq=False)
class Said:
    """What was said of a proposal.

    Attributes:
        time: When the classifier looked at it, in seconds.
        score: The combined score.
        probabilities: float32 (C,), of the labels.
        face: The probability of a face.
        place: float32 (4,), where the face is relative to the box, as ``Look.box``.
    """

    time: float
    score: float
    probabilities: NDArray[np.float32]
    face: float
    place: NDArray[np.float32]


class Known:
    """Something at which the classifier has looked: a face, or what was none.

    Attributes:
        said: What was said of it last, by the frames that are finished.
        looked: When the classifier looked last, or is to look, by the frames that are planned; in seconds.
    """

    def __init__(self, said: Said) -> None:
        self.said = said
        self.looked = said.time


@dataclass(frozen=True, eq=False)
class Recognised:
    """What is known of the proposals of a frame.

    Attributes:
        known: Of some proposals, by their index, what they are.
        chosen: bool (N,), at which proposals the classifier is to look: those that are not known, or not of late.
    """

    known: Mapping[int, Known]
    chosen: NDArray[np.bool_]


class LookMemory:
    """Remembers looks at two kinds of proposals: faces that are sure of their label, and what was no face.

    A face is expected where it moves; what was no face, and the second box of a face, where it was. A proposal that
    overlaps one of them is taken for the same thing. After ``look_every``, the classifier looks again.

    Frames are planned (:meth:`recognise`) before those of the same step are finished (:meth:`remember`). What is
    expected is fixed when a step begins, so the plans, and with them the results, do not depend on which frames share
    a batch.

    Args:
        look_every: Seconds after which the classifier looks again.
    """

    def __init__(self, look_every: float) -> None:
        self._look_every = look_every
        self._faces: dict[int, Known] = {}  # by number of the track
        self._others: list[tuple[NDArray[np.float64], Known]] = []  # of the last frame, with the proposed box
        self._tracker: FaceTracker | None = None
        self._expected_faces: dict[int, tuple[Known, NDArray[np.float32]]] = {}  # with their place
        self._expected_others: list[tuple[NDArray[np.float64], Known]] = []

    def begin_step(self, tracker: FaceTracker, followed: frozenset[int], settled: frozenset[int]) -> None:
        """Fix what is expected from now on; all frames before are finished.

        Args:
            tracker: Where faces are expected: a copy that does not change.
            followed: Numbers of all faces that are followed.
            settled: Numbers of the faces that are sure of their label.
        """
        self._faces = {number: known for number, known in self._faces.items() if number in followed}
        self._tracker = tracker
        self._expected_faces = {
            number: (known, known.said.place) for number, known in self._faces.items() if number in settled
        }
        self._expected_others = self._others
        for known in (*self._faces.values(), *(known for _, known in self._others)):
            known.looked = known.said.time

    def recognise(self, boxes: NDArray[np.float64], time: float) -> Recognised:
        """What is known of proposals, and at which the classifier is to look.

        Args:
            boxes: (N, 4), the proposals of a frame.
            time: Of the frame, in seconds.
        """
        known = dict(self._recognised_faces(boxes, time))
        known |= self._recognised_others(boxes, [index for index in range(len(boxes)) if index not in known])
        chosen = np.ones(len(boxes), np.bool_)
        for index, each in known.items():
            if 0 <= time - each.looked < self._look_every:
                chosen[index] = False
            else:
                each.looked = time
        return Recognised(known, chosen)

    def remember(
        self,
        proposed: NDArray[np.float64],
        frame: PreparedFrame,
        recognised: Recognised,
        faces: Mapping[int, int | None],
        time: float,
    ) -> None:
        """Take in what was said of a frame; frames come in order.

        Args:
            proposed: (N, 4), the proposed boxes.
            frame: The same proposals with all that was said of them.
            recognised: What was known of them.
            faces: Indices of the proposals that became faces, and the numbers of these.
            time: Of the frame, in seconds.
        """
        assert frame.probabilities is not None
        assert frame.face is not None
        assert frame.place is not None
        self._others = []
        for index in range(len(frame)):
            known = recognised.known.get(index)
            if known is None or recognised.chosen[index]:
                score, face = float(frame.scores[index]), float(frame.face[index])
                said = Said(time, score, frame.probabilities[index], face, frame.place[index])
                known = known or Known(said)
                known.said = said
            if index not in faces:
                self._others.append((proposed[index], Known(known.said)))
            elif (number := faces[index]) is not None and self._faces.get(number) is not known:
                self._faces[number] = Known(known.said)

    def _recognised_faces(self, boxes: NDArray[np.float64], time: float) -> Iterator[tuple[int, Known]]:
        """Index of the proposal of each face that is expected, those that overlap most first; each once."""
        if self._tracker is None or not len(boxes):
            return
        places = [(number, box) for number, box in self._tracker.predict(time) if number in self._expected_faces]
        if not places:
            return
        relative = np.stack([self._expected_faces[number][1] for number, _ in places])
        count = len(boxes)
        moved = absolute_boxes(np.repeat(relative, count, axis=0), np.tile(boxes, (len(places), 1)))
        overlaps = overlap_of_pairs(moved.reshape(-1, count, 4), np.array([box for _, box in places])[:, None])
        while overlaps.max() >= _SAME:
            row, index = divmod(int(overlaps.argmax()), count)
            overlaps[row, :] = overlaps[:, index] = 0
            yield index, self._expected_faces[places[row][0]][0]

    def _recognised_others(self, boxes: NDArray[np.float64], free: Sequence[int]) -> Iterator[tuple[int, Known]]:
        """Indices of proposals, among some, that are where something else was."""
        if not self._expected_others or not free:
            return
        overlaps = overlap(np.stack([box for box, _ in self._expected_others]), boxes[np.array(free)])
        for index, other, shared in zip(free, overlaps.argmax(axis=0), overlaps.max(axis=0), strict=True):
            if shared >= _SAME:
                yield index, self._expected_others[other][1]


def with_recalled(frame: PreparedFrame, looked_at: PreparedFrame, recognised: Recognised) -> PreparedFrame:
    """All proposals of a frame with combined scores and moved boxes: by what was said now, or else before.

    Args:
        frame: The N proposals.
        looked_at: Those at which the classifier has looked, with combined scores.
        recognised: Which these are, and what is known of the others.
    """
    assert looked_at.probabilities is not None
    assert looked_at.face is not None
    assert looked_at.place is not None
    count, chosen = len(frame), recognised.chosen
    scores, face = np.empty(count, np.float32), np.empty(count, np.float32)
    place = np.empty((count, 4), np.float32)
    probabilities = np.empty((count, looked_at.probabilities.shape[1]), np.float32)
    scores[chosen], face[chosen] = looked_at.scores, looked_at.face
    place[chosen], probabilities[chosen] = looked_at.place, looked_at.probabilities
    for index in np.flatnonzero(~chosen).tolist():
        said = recognised.known[index].said
        scores[index], face[index] = said.score, said.face
        place[index], probabilities[index] = said.place, said.probabilities
    return replace(
        looked_at,
        boxes=absolute_boxes(place, frame.boxes),
        scores=scores,
        landmarks=frame.landmarks,
        probabilities=probabilities,
        face=face,
        place=place,
    )
