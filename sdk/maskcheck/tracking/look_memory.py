"""``LookMemory``: what the classifier said of proposals a moment ago, so that it need not look in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


class LookMemory:
    """Remembers looks at two kinds of proposals: faces that are sure of their label, and what was no face.

    A face is expected where it moves; what was no face, and the second box of a face, where it was. A proposal that
    overlaps one of them is taken for the same thing. After ``look_every``, the classifier looks again.

    What is expected is fixed when a step begins (:meth:`begin_step`), so what is recalled within it does not depend on
    which of its frames are finished already.

    Args:
        look_every: Seconds after which the classifier looks again.
    """

    def __init__(self, look_every: float) -> None:
        self._look_every = look_every
        self._of_faces: dict[int, Said] = {}  # by number of the track
        self._of_others: list[tuple[NDArray[np.float64], Said]] = []  # of the last frame, with the proposed box
        self._tracker: FaceTracker | None = None
        self._known: dict[int, Said] = {}
        self._others: list[tuple[NDArray[np.float64], Said]] = []
        self._looked: dict[int, float] = {}  # when, by number; and by place in `_others`
        self._looked_others: list[float] = []

    def begin_step(self, tracker: FaceTracker, followed: frozenset[int], settled: frozenset[int]) -> None:
        """Fix what is expected from now on; all frames before are finished.

        Args:
            tracker: Where faces are expected: a copy that does not change.
            followed: Numbers of all faces that are followed.
            settled: Numbers of the faces that are sure of their label.
        """
        self._of_faces = {number: said for number, said in self._of_faces.items() if number in followed}
        self._tracker = tracker
        self._known = {number: said for number, said in self._of_faces.items() if number in settled}
        self._others = self._of_others
        self._looked = {number: said.time for number, said in self._known.items()}
        self._looked_others = [said.time for _, said in self._others]

    def recall(self, boxes: NDArray[np.float64], time: float) -> dict[int, Said]:
        """What was said of proposals, by their index; at all others, the classifier is to look.

        Args:
            boxes: (N, 4), the proposals of a frame.
            time: Of the frame, in seconds.
        """
        recalled: dict[int, Said] = {}
        free = np.ones(len(boxes), np.bool_)
        for number, index in self._expected(boxes, time):
            free[index] = False
            if self._is_fresh(self._looked[number], time):
                recalled[index] = self._known[number]
            else:
                self._looked[number] = time
        for other, index in self._seen_before(boxes, np.flatnonzero(free)):
            if self._is_fresh(self._looked_others[other], time):
                recalled[index] = self._others[other][1]
            else:
                self._looked_others[other] = time
        return recalled

    def remember(
        self,
        proposed: NDArray[np.float64],
        frame: PreparedFrame,
        recalled: Mapping[int, Said],
        faces: Mapping[int, int | None],
        time: float,
    ) -> None:
        """Take in what was said of a frame; frames come in order.

        Args:
            proposed: (N, 4), the proposed boxes.
            frame: The same proposals with all that was said of them.
            recalled: What was said of some of them before.
            faces: Indices of the proposals that became faces, and the numbers of these.
            time: Of the frame, in seconds.
        """
        assert frame.probabilities is not None
        assert frame.face is not None
        assert frame.place is not None
        self._of_others = []
        for index in range(len(frame)):
            said = recalled.get(index) or Said(
                time,
                float(frame.scores[index]),
                frame.probabilities[index],
                float(frame.face[index]),
                frame.place[index],
            )
            if index not in faces:
                self._of_others.append((proposed[index], said))
            elif (number := faces[index]) is not None and (index not in recalled or number not in self._of_faces):
                self._of_faces[number] = said

    def _is_fresh(self, looked: float, time: float) -> bool:
        return 0 <= time - looked < self._look_every

    def _expected(self, boxes: NDArray[np.float64], time: float) -> Iterator[tuple[int, int]]:
        """Numbers of faces, and the proposal of each, each once: those that overlap most first."""
        if self._tracker is None or not len(boxes):
            return
        places = [(number, box) for number, box in self._tracker.predict(time) if number in self._known]
        if not places:
            return
        relative = np.stack([self._known[number].place for number, _ in places])
        count = len(boxes)
        moved = absolute_boxes(np.repeat(relative, count, axis=0), np.tile(boxes, (len(places), 1)))
        overlaps = overlap_of_pairs(moved.reshape(-1, count, 4), np.array([box for _, box in places])[:, None])
        while overlaps.max() >= _SAME:
            row, index = divmod(int(overlaps.argmax()), count)
            overlaps[row, :] = overlaps[:, index] = 0
            yield places[row][0], index

    def _seen_before(self, boxes: NDArray[np.float64], places: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """Which of the others each of some proposals is, and its index."""
        if not self._others or not len(places):
            return
        overlaps = overlap(np.stack([box for box, _ in self._others]), boxes[places])
        for index, other, shared in zip(places, overlaps.argmax(axis=0), overlaps.max(axis=0), strict=True):
            if shared >= _SAME:
                yield int(other), int(index)


def with_recalled(
    frame: PreparedFrame, looked_at: PreparedFrame, chosen: NDArray[np.bool_], recalled: Mapping[int, Said]
) -> PreparedFrame:
    """All proposals of a frame with combined scores and moved boxes.

    Args:
        frame: The N proposals.
        looked_at: Those at which the classifier has looked, with combined scores.
        chosen: bool (N,), which these are.
        recalled: What was said of the others before, by their index.
    """
    assert looked_at.probabilities is not None
    assert looked_at.face is not None
    assert looked_at.place is not None
    count = len(frame)
    scores, face = np.empty(count, np.float32), np.empty(count, np.float32)
    place = np.empty((count, 4), np.float32)
    probabilities = np.empty((count, looked_at.probabilities.shape[1]), np.float32)
    scores[chosen], face[chosen] = looked_at.scores, looked_at.face
    place[chosen], probabilities[chosen] = looked_at.place, looked_at.probabilities
    for index, said in recalled.items():
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
