"""Compares ONNX files with the Keras model that they were made of, on labelled faces, and checks limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.second_look import Look, absolute_boxes
from maskcheck.detectors.fusion import overlap
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.calibration import Reliability
from maskcheck_export.evaluation.metrics import columns, summarise
from maskcheck_export.evaluation.prediction import Classify, LookAt, labels_by, look_all, looks_by, predict
from maskcheck_export.onnx_graphs.versions import GraphFacts, check, graph_facts
from maskcheck_export.runs import MODEL, Run

_SEEN = 0.5  # probability from which a face is seen


@dataclass(frozen=True)
class Limits:
    """How far a file may differ from its reference.

    Attributes:
        difference: Largest absolute difference of a probability; None for any.
        flips: Largest share of faces that get another label, in [0, 1].
        accuracy_loss: Largest loss of accuracy, in [0, 1].
        calibration_loss: Largest increase of the expected calibration error, in [0, 1].
        face_flips: Largest share of boxes on which ``face`` is on the other side of 0.5, in [0, 1].
        face_difference: Largest mean absolute difference of ``face``.
        box_overlap: Least mean overlap (intersection over union) of the places that ``box`` gives on faces.
    """

    difference: float | None
    flips: float
    accuracy_loss: float
    calibration_loss: float
    face_flips: float
    face_difference: float
    box_overlap: float


LIMITS = {
    "float32": Limits(
        difference=1e-4,
        flips=0.0,
        accuracy_loss=0.0,
        calibration_loss=1e-3,
        face_flips=0.0,
        face_difference=1e-4,
        box_overlap=0.999,
    ),
    "float16": Limits(
        difference=0.05,
        flips=0.003,
        accuracy_loss=0.003,
        calibration_loss=0.005,
        face_flips=0.003,
        face_difference=0.002,
        box_overlap=0.99,
    ),
    "int8": Limits(
        difference=None,
        flips=0.01,
        accuracy_loss=0.003,
        calibration_loss=0.01,
        face_flips=0.02,
        face_difference=0.03,
        box_overlap=0.92,
    ),
}


@dataclass(frozen=True)
class LookAgreement:
    """How the second look at N boxes agrees with that of a reference.

    Attributes:
        boxes: N.
        flips: Number of boxes on which ``face`` is on the other side of 0.5.
        difference: Mean absolute difference of ``face``.
        overlap: Mean overlap of the places that ``box`` gives, where the reference sees a face.
    """

    boxes: int
    flips: int
    difference: float
    overlap: float

    @classmethod
    def measure(cls, look: Look, reference: Look) -> LookAgreement:
        """Compare what two models say of the same N boxes; both have a second look."""
        assert look.face is not None
        assert look.box is not None
        assert reference.face is not None
        assert reference.box is not None
        unit = np.tile([0.0, 0.0, 1.0, 1.0], (len(look.face), 1))
        places = [absolute_boxes(box, unit).astype(np.float32) for box in (look.box, reference.box)]
        seen = np.flatnonzero(reference.face >= _SEEN)
        overlaps = [float(overlap(places[0][[index]], places[1][[index]])[0, 0]) for index in seen]
        return cls(
            boxes=len(look.face),
            flips=int(((look.face >= _SEEN) != (reference.face >= _SEEN)).sum()),
            difference=float(np.abs(look.face - reference.face).mean()),
            overlap=float(np.mean(overlaps)) if overlaps else 1.0,
        )

    def failures(self, limits: Limits) -> list[str]:
        """The limits that are exceeded, in words."""
        failures = []
        if self.flips > limits.face_flips * self.boxes:
            failures.append(f"face changed {self.flips / self.boxes:.2%} is above {limits.face_flips:.1%}")
        if self.difference > limits.face_difference:
            failures.append(f"mean difference of face {self.difference:.4f} is above {limits.face_difference:g}")
        if self.overlap < limits.box_overlap:
            failures.append(f"mean overlap of boxes {self.overlap:.4f} is below {limits.box_overlap:g}")
        return failures


@dataclass(frozen=True)
class Agreement:
    """How the probabilities of N faces agree with the probabilities of a reference.

    Attributes:
        faces: N.
        difference: Largest absolute difference of a probability.
        mean_difference: Mean absolute difference.
        flips: Number of faces that get another label.
        accuracy: Share of faces that get their true label, in [0, 1].
        accuracy_loss: Accuracy of the reference minus `accuracy`.
        calibration_error: Expected calibration error, in [0, 1].
        calibration_loss: `calibration_error` minus that of the reference.
    """

    faces: int
    difference: float
    mean_difference: float
    flips: int
    accuracy: float
    accuracy_loss: float
    calibration_error: float
    calibration_loss: float

    @classmethod
    def measure(
        cls, probabilities: NDArray[np.float32], reference: NDArray[np.float32], true: NDArray[np.intp]
    ) -> Agreement:
        """Compare float32 (N, C) with a reference of the same shape; `true` (N,) are the columns of the labels."""
        differences = np.abs(probabilities - reference)
        labels, expected = probabilities.argmax(axis=1), reference.argmax(axis=1)
        accuracy = float((labels == true).mean())
        calibration = Reliability.measure(probabilities, true).error
        return cls(
            faces=len(true),
            difference=float(differences.max()),
            mean_difference=float(differences.mean()),
            flips=int((labels != expected).sum()),
            accuracy=accuracy,
            accuracy_loss=float((expected == true).mean()) - accuracy,
            calibration_error=calibration,
            calibration_loss=calibration - Reliability.measure(reference, true).error,
        )

    def failures(self, limits: Limits) -> list[str]:
        """The limits that are exceeded, in words."""
        failures = []
        if limits.difference is not None and self.difference > limits.difference:
            failures.append(f"largest difference {self.difference:.2e} is above {limits.difference:g}")
        if self.flips > limits.flips * self.faces:
            failures.append(f"labels changed {self.flips / self.faces:.2%} is above {limits.flips:.1%}")
        if self.accuracy_loss > limits.accuracy_loss + 1e-9:
            failures.append(f"accuracy loss {self.accuracy_loss:.4f} is above {limits.accuracy_loss:g}")
        if self.calibration_loss > limits.calibration_loss:
            failures.append(
                f"calibration error increases by {self.calibration_loss:.4f}, more than {limits.calibration_loss:g}"
            )
        return failures


@dataclass(frozen=True)
class Verification:
    """The comparison of an ONNX file with its reference.

    Attributes:
        name: The file.
        reference: ``Keras``, or the file that it was compared with.
        agreement: How far the two agree.
        limits: How far they may differ.
        graph: Facts of the graph of the file.
        metrics: Of the file on the same faces.
        look: How far the second looks agree; None without one.
    """

    name: str
    reference: str
    agreement: Agreement
    limits: Limits
    graph: GraphFacts
    metrics: dict[str, Any]
    look: LookAgreement | None = None

    @property
    def failures(self) -> list[str]:
        """The limits that are exceeded, in words."""
        return self.agreement.failures(self.limits) + (self.look.failures(self.limits) if self.look else [])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"passed": not self.failures, "failures": self.failures}


def verify(run: Run, models: Sequence[Path]) -> list[Verification]:
    """Compare ONNX files with the Keras model of a training, on its test faces (or validation faces, if it has none).

    A float16 or int8 file is compared with the first float32 file among `models`, or with Keras if there is none.

    Raises:
        DataError: A file has other labels or another input size than the training, or a newer format than the oldest
            supported runtime reads; or the training kept no faces.
        ModelError: A file is not a mask classifier.
    """
    settings = run.settings
    faces = run.parts.test or run.parts.validation
    if not faces:
        raise DataError(f"{run.folder} kept no faces to compare on; train with split.test above 0")
    shape = settings.input
    true = columns(faces, settings.labels)
    network = keras.models.load_model(run.folder / MODEL, compile=False)
    looked_at = _looked_at(run)

    def examine(classify: Classify, look: LookAt) -> tuple[NDArray[np.float32], Look | None]:
        probabilities = predict(classify, faces, size=shape.size, margin=shape.margin)
        return probabilities, look_all(look, looked_at, size=shape.size, margin=shape.margin) if looked_at else None

    original = ("Keras", *examine(labels_by(network), looks_by(network)))
    floating = original  # the first float32 file replaces it
    verifications = []
    classifiers = [MaskClassifier(path, device="cpu", precision="stored") for path in models]
    for classifier in sorted(classifiers, key=lambda classifier: classifier.info.precision != "float32"):
        info = classifier.info
        if (info.labels, info.input_size, info.crop_margin) != (settings.labels, shape.size, shape.margin):
            raise DataError(
                f"{classifier.path} is not of this training: expected {settings.labels}, {shape.size} pixels, margin"
                f" {shape.margin}, got {info.labels}, {info.input_size} pixels, margin {info.crop_margin}"
            )
        proto = onnx.load(classifier.path)
        check(proto)
        probabilities, look = examine(classifier, classifier.look)
        exact = info.precision == "float32"
        name, reference, reference_look = original if exact else floating
        verifications.append(
            Verification(
                name=classifier.path,
                reference=name,
                agreement=Agreement.measure(probabilities, reference, true),
                limits=LIMITS.get(info.precision, LIMITS["int8"]),
                graph=graph_facts(proto),
                metrics=summarise(faces, probabilities, settings.labels),
                look=None if look is None or reference_look is None else LookAgreement.measure(look, reference_look),
            )
        )
        if exact and floating[0] == "Keras":
            floating = (classifier.path, probabilities, look)
    return verifications


def _looked_at(run: Run) -> tuple[Sample, ...]:
    """Boxes to compare second looks on: proposals in pictures that were kept out of the training, else faces."""
    if not run.settings.has_second_look:
        return ()
    parts = run.parts
    return parts.test_proposals or parts.validation_proposals or parts.test or parts.validation
