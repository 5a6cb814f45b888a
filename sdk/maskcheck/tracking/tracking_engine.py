"""The engine of a stream whose faces are followed: most of them need not be classified in every frame.

Without a second look, faces are followed first, and then those are classified that need it. With one, the classifier
decides what is a face, so it looks first: at all proposals but those of which :class:`LookMemory` knows what it would
say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.second_look import Combination
from maskcheck.engine.engine import Engine
from maskcheck.engine.preparation import Preparation, Preparer
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.engine.second_look import combine
from maskcheck.pictures.box import Box
from maskcheck.results import Face, FrameResult
from maskcheck.tracking.look_memory import LookMemory, Recognised, with_recalled
from maskcheck.tracking.result_tracker import ResultTracker
from maskcheck.tracking.settings import TrackingSettings

_STEP = 0.1  # seconds within which the same faces count as sure of their label


@dataclass
class _Plan:
    """What is done with a frame.

    Attributes:
        frame: The frame, with the faces that are to be classified.
        time: Seconds, of the tracker's clock.
        whole: The frame, with all faces.
        numbers: Of all faces.
        chosen: Which of them are to be classified.
        expected: Where faces are, if the detector did not run.
        recognised: With a second look, what is known of the proposals.
    """

    frame: PreparedFrame
    time: float = 0.0
    whole: PreparedFrame | None = None
    numbers: Sequence[int | None] = ()
    chosen: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    expected: Sequence[tuple[int, Box]] | None = None
    recognised: Recognised | None = None


class TrackingEngine:
    """Finishes frames that come in order: their faces are followed, and those are classified that need it.

    Args:
        engine: Prepares and classifies.
        settings: How faces are followed. When the source of the frames changes, tracks begin anew.
    """

    def __init__(self, engine: Engine, settings: TrackingSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._tracker = ResultTracker(settings)
        self._memory = LookMemory(settings.classify_every)
        self._source: str | None = None
        self._step: int | None = None
        self._settled: frozenset[int] = frozenset()  # faces that were sure of their label when the step began
        self._chosen_at: dict[int, float] = {}  # when each was last to be classified

    @property
    def preparer(self) -> Preparer:
        """The first half, with detector and classifier."""
        return self._engine.preparer

    def prepare(self, preparations: Sequence[Preparation]) -> list[PreparedFrame]:
        """Decode frames, find their faces and cut them out; what fails is the error of that frame."""
        return self._engine.prepare(preparations)

    def finish(self, frames: Sequence[PreparedFrame]) -> list[FrameResult]:
        """Follow and label the faces of prepared frames; what fails is the error of that frame.

        Raises:
            MaskCheckError: The classifier has never run, and does not.
        """
        combination = self._engine.preparer.combination
        results: list[FrameResult] = []
        plans: list[_Plan] = []
        for frame in frames:
            step = self._step_of(frame)
            if frame.error is None and (frame.source, step) != (self._source, self._step):
                results += self._finish(plans, combination)
                plans = []
                self._begin_step(frame.source, step)
            plans.append(self._plan(frame) if combination is None else self._plan_look(frame))
        return results + self._finish(plans, combination)

    def _step_of(self, frame: PreparedFrame) -> int:
        return int(self._tracker.time_of(frame.index, frame.time) / _STEP)

    def _begin_step(self, source: str | None, step: int) -> None:
        """All frames before this step are finished: what their faces are sure of decides within it.

        So the results do not depend on which frames happen to share a batch.
        """
        if source != self._source:
            self._tracker = ResultTracker(self._settings)
            self._memory = LookMemory(self._settings.classify_every)
            self._chosen_at.clear()
        self._source, self._step = source, step
        self._tracker.forget()
        self._settled = self._tracker.settled()
        self._chosen_at = {number: time for number, time in self._chosen_at.items() if number in self._settled}
        self._memory.begin_step(self._tracker.frozen(), self._tracker.followed(), self._settled)

    def _finish(self, plans: Sequence[_Plan], combination: Combination | None) -> list[FrameResult]:
        if combination is not None:
            looked_at = self._engine.look([plan.frame for plan in plans])
            return [self._seen(plan, frame, combination) for plan, frame in zip(plans, looked_at, strict=True)]
        results = self._engine.finish([plan.frame for plan in plans])
        return [self._joined(plan, result) for plan, result in zip(plans, results, strict=True)]

    def _plan(self, frame: PreparedFrame) -> _Plan:
        if frame.error is not None:
            return _Plan(frame)
        time = self._tracker.time_of(frame.index, frame.time)
        if not frame.searched:
            return _Plan(frame, time, expected=self._tracker.expected(time))
        numbers = self._tracker.follow(frame.boxes, frame.scores, time)
        time = self._tracker.clock
        chosen = np.array([self._is_chosen(number, time) for number in numbers], bool)
        if frame.probabilities is not None:  # of the detector: they cost nothing
            chosen[:] = True
        self._chosen_at |= {
            number: time for number, wanted in zip(numbers, chosen, strict=True) if wanted and number is not None
        }
        return _Plan(frame.with_faces(chosen), time, frame, numbers, chosen)

    def _plan_look(self, frame: PreparedFrame) -> _Plan:
        if frame.error is not None:
            return _Plan(frame)
        time = self._tracker.time_of(frame.index, frame.time)
        recognised = self._memory.recognise(frame.boxes, time)
        return _Plan(frame.with_faces(recognised.chosen), time, frame, recognised=recognised)

    def _seen(self, plan: _Plan, looked_at: PreparedFrame, combination: Combination) -> FrameResult:
        """The result of a frame once the classifier has looked; frames come in order."""
        if looked_at.error is not None:
            return self._engine.result(looked_at)
        if not looked_at.searched:
            result = self._engine.result(looked_at)
            return replace(result, faces=self._tracker.predicted(self._tracker.expected(plan.time), result.size))
        assert plan.whole is not None
        assert plan.recognised is not None
        proposals = with_recalled(plan.whole, combine(looked_at, combination), plan.recognised)
        best, places = self._engine.best_faces(proposals)
        numbers = self._tracker.follow(best.boxes, best.scores, plan.time)
        result = self._engine.result(best)
        new, clock = plan.recognised.chosen, self._tracker.clock
        faces = [
            (self._tracker.labelled if new[place] else self._tracker.recalled)(face, number, clock)
            for face, place, number in zip(result.faces, places, numbers, strict=True)
        ]
        of_places = dict(zip(places.tolist(), numbers, strict=True))
        self._memory.remember(plan.whole.boxes, proposals, plan.recognised, of_places, plan.time)
        return replace(result, faces=tuple(faces))

    def _is_chosen(self, number: int | None, time: float) -> bool:
        """Whether a face is classified: it is new, not sure of its label, or was not classified for a while."""
        if number is None or number not in self._settled:
            return True
        last = self._chosen_at.get(number)
        return last is None or not 0 <= time - last < self._settings.classify_every

    def _joined(self, plan: _Plan, result: FrameResult) -> FrameResult:
        """The result of a frame with all its faces."""
        if result.error is not None:
            return result
        if plan.expected is not None:
            return replace(result, faces=self._tracker.predicted(plan.expected, result.size))
        assert plan.whole is not None
        classified = iter(result.faces)
        faces: list[Face] = []
        for place, number in enumerate(plan.numbers):
            if plan.chosen[place]:
                faces.append(self._tracker.labelled(next(classified), number, plan.time))
            elif number is not None:  # those without a number are all chosen
                faces.append(self._known(plan.whole, place, number))
        return replace(result, faces=tuple(faces))

    def _known(self, frame: PreparedFrame, place: int, number: int) -> Face:
        x1, y1, x2, y2 = frame.boxes[place].tolist()
        points = None if frame.landmarks is None else tuple((x, y) for x, y in frame.landmarks[place].tolist())
        return self._tracker.found((x1, y1, x2, y2), float(frame.scores[place]), points, number)
