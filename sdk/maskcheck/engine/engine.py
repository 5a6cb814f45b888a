"""The pipeline's two halves, and what their results are made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck._version import __version__
from maskcheck.classifier.api import Classifier
from maskcheck.classifier.second_look import Look
from maskcheck.detectors.guard import describe_detector, detector_labels
from maskcheck.engine.classification import classify
from maskcheck.engine.preparation import Preparation, Preparer, as_frame_error, milliseconds_since
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.engine.second_look import best_faces, combine
from maskcheck.errors import MaskCheckError, ModelTimeout, RuntimeUnavailable
from maskcheck.log import LOGGER
from maskcheck.results import Face, FrameResult, Receipt, StageReceipt
from maskcheck.runtime.installed import import_runtime
from maskcheck.stages import OptionValue, StageDescription


@dataclass(frozen=True)
class StageOrigin:
    """Where a stage comes from.

    Attributes:
        name: Its name; the class of an object that was given.
        distribution: Distribution of its plugin; None for an object.
        version: Version of that distribution.
        options: Values of all its options.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    options: Mapping[str, OptionValue | None] = field(default_factory=dict)


class Engine:
    """Prepares frames, and finishes what is prepared: all that threads, processes and callers share.

    Args:
        preparer: The first half, with detector and classifier.
        detector: Where the detector comes from.
        classifier: Where the classifier comes from; None without one.
        tile: Side of the slices that the detector gets, in pixels; None for whole pictures.
    """

    def __init__(
        self, preparer: Preparer, detector: StageOrigin, classifier: StageOrigin | None, *, tile: int | None
    ) -> None:
        self.preparer = preparer
        self._detector_origin = detector
        self._classifier_origin = classifier
        self._tile = tile
        self._receipt: Receipt | None = None
        self._has_classified = False

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_receipt": None, "_has_classified": False}

    @property
    def classifier(self) -> Classifier | None:
        """Labels the faces; None if the detector does."""
        return self.preparer.classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of each probability, in order; loads the classifier."""
        if self.classifier is not None:
            return tuple(self.classifier.labels)
        return detector_labels(self.preparer.detector) or ()

    @property
    def min_score(self) -> float:
        """Least detection score of a face that is kept; the default may load the classifier."""
        return self.preparer.min_score

    @min_score.setter
    def min_score(self, value: float) -> None:
        self.preparer = replace(self.preparer, given_min_score=value)
        self._receipt = None  # it says what is in force

    def prepare(self, preparations: Sequence[Preparation]) -> list[PreparedFrame]:
        """Decode frames, find their faces and cut them out; what fails is the error of that frame."""
        return self.preparer.prepare(preparations)

    def finish(self, frames: Sequence[PreparedFrame]) -> list[FrameResult]:
        """Label the faces of prepared frames in shared runs; what fails is the error of that frame.

        Raises:
            MaskCheckError: The classifier has never run, and does not.
        """
        looked_at = self.look(frames)
        combination = self.preparer.combination if any(frame.error is None for frame in looked_at) else None
        if combination is not None:
            looked_at = [
                frame if frame.error is not None else self.best_faces(combine(frame, combination))[0]
                for frame in looked_at
            ]
        return [self.result(frame) for frame in looked_at]

    def look(self, frames: Sequence[PreparedFrame]) -> list[PreparedFrame]:
        """Prepared frames with what the classifier says of their faces, in shared runs, or with their error.

        Raises:
            MaskCheckError: The classifier has never run, and does not.
        """
        waiting = [frame for frame in frames if frame.error is None]
        started = perf_counter()
        outcomes = iter(self._classify(waiting))
        share = milliseconds_since(started) / max(sum(frame.unlabelled for frame in waiting), 1)
        return [
            frame if frame.error is not None else _looked_at(frame, next(outcomes), share * frame.unlabelled)
            for frame in frames
        ]

    def best_faces(self, frame: PreparedFrame) -> tuple[PreparedFrame, NDArray[np.intp]]:
        """The faces of a frame whose proposals have combined scores, and the index of each among them."""
        return best_faces(frame, min_score=self.min_score, max_faces=self.preparer.max_faces)

    def result(self, frame: PreparedFrame) -> FrameResult:
        """The result of a frame whose faces are labelled, or that has an error."""
        faces: tuple[Face, ...] = ()
        if frame.error is None:
            assert frame.probabilities is not None
            faces = make_faces(
                frame.boxes, frame.probabilities, self.labels, frame.scores.tolist(), frame.landmarks, frame.face
            )
        return FrameResult(
            faces=faces,
            size=frame.size,
            timings=frame.timings,
            source=frame.source,
            frame=frame.index,
            time=frame.time,
            notes=frame.notes,
            error=frame.error,
            receipt=self.receipt if frame.error is None else None,
            image=frame.pixels if frame.keep_image else None,
        )

    @property
    def receipt(self) -> Receipt:
        """What results are made with; loads detector and classifier."""
        if self._receipt is None:
            self._receipt = self._make_receipt()
        return self._receipt

    def _classify(self, frames: Sequence[PreparedFrame]) -> list[Look | MaskCheckError]:
        """What the classifier says of the faces of each frame, or why it says nothing."""
        classifier = self.classifier
        if classifier is None:
            empty = np.empty((0, len(self.labels)), np.float32)
            return [Look(empty if frame.probabilities is None else frame.probabilities) for frame in frames]
        try:
            outcomes: list[Look | MaskCheckError] = list(classify(frames, classifier))
        except Exception as error:
            first = error
        else:
            self._has_classified = self._has_classified or any(map(len, frames))
            return outcomes
        outcomes = []
        for frame in frames:
            try:
                if len(frame) and isinstance(first, ModelTimeout):  # to try again would take as long again, each time
                    raise first
                outcomes += classify([frame], classifier)
            except Exception as error:
                outcomes.append(as_frame_error(error, frame.source, "has faces that cannot be classified"))
            else:
                self._has_classified = self._has_classified or len(frame) > 0
        if not self._has_classified:
            raise first
        return outcomes

    def _describe_detector(self) -> StageDescription:
        try:
            return describe_detector(self.preparer.detector, name=self._detector_origin.name)
        except MaskCheckError as error:  # its detections are good, even if it cannot say what it runs with
            LOGGER.warning("%s", error)
            return StageDescription()

    def _make_receipt(self) -> Receipt:
        classifier, origin = self.classifier, self._classifier_origin
        stages = [_stage("detector", self._detector_origin, self._describe_detector())]
        described = StageDescription()
        if classifier is not None and origin is not None:
            described = getattr(classifier, "describe", StageDescription)()
            stages.append(_stage("classifier", origin, described))
        return Receipt(
            detector=self._detector_origin.name,
            detector_options=dict(self._detector_origin.options),
            min_score=self.min_score,
            second_look=self.preparer.combination is not None,
            tile=self._tile,
            model=described.model,
            model_sha256=described.model_sha256,
            providers=described.providers,
            threads=described.threads,
            precision=described.precision,
            chosen_by=getattr(classifier, "chosen_by", None),
            versions=_versions(),
            stages=tuple(stages),
        )


def _looked_at(frame: PreparedFrame, outcome: Look | MaskCheckError, classify_ms: float) -> PreparedFrame:
    timed = replace(frame, timings=replace(frame.timings, classify=frame.timings.classify + classify_ms))
    return replace(timed, error=outcome) if isinstance(outcome, MaskCheckError) else timed.looked_at(outcome)


def make_faces(
    boxes: NDArray[np.float64],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    scores: Sequence[float | None],
    landmarks: NDArray[np.float32] | None = None,
    face: NDArray[np.float32] | None = None,
) -> tuple[Face, ...]:
    """Faces of one picture.

    Args:
        boxes: (N, 4), ``x1, y1, x2, y2`` in pixels.
        probabilities: (N, C).
        labels: C labels.
        scores: N detection scores, or None for boxes of the caller.
        landmarks: (N, K, 2) in pixels, if there are any.
        face: (N,), the probability that each box is on a face, if the classifier says.
    """
    points = [None] * len(boxes) if landmarks is None else [tuple(map(tuple, own)) for own in landmarks.tolist()]
    certainties: list[float | None] = [None] * len(boxes) if face is None else face.tolist()
    return tuple(
        Face(
            box=(x1, y1, x2, y2),
            label=labels[int(row.argmax())],
            confidence=float(row.max()),
            probabilities=dict(zip(labels, row.tolist(), strict=True)),
            detection_score=score,
            landmarks=own_points,
            face=certainty,
        )
        for (x1, y1, x2, y2), row, score, own_points, certainty in zip(
            boxes.tolist(), probabilities, scores, points, certainties, strict=True
        )
    )


def _stage(kind: Literal["detector", "classifier"], origin: StageOrigin, described: StageDescription) -> StageReceipt:
    return StageReceipt(
        kind=kind,
        name=origin.name,
        distribution=origin.distribution,
        version=origin.version,
        options=dict(origin.options),
        model=described.model,
        model_sha256=described.model_sha256,
        providers=described.providers,
        threads=described.threads,
        precision=described.precision,
    )


@cache
def _versions() -> dict[str, str]:
    try:
        runtime = import_runtime().__version__
    except RuntimeUnavailable:  # a detector and a classifier of the caller need none
        runtime = ""
    return {"maskcheck": __version__, "onnxruntime": runtime, "opencv": cv2.__version__, "numpy": np.__version__}
