"""Is an ONNX file still the model that Keras trained? Compared on real pictures, with limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from maskcheck.classifier import MaskClassifier
from maskcheck_export.data import DataError
from maskcheck_export.metrics import evaluate
from maskcheck_export.prediction import predict
from maskcheck_export.runs import MODEL, Run


@dataclass(frozen=True)
class Limits:
    """What is accepted.

    Attributes:
        difference: Largest absolute difference of any probability; None where only labels count.
        flips: Largest share of faces that get another label, in [0, 1].
    """

    difference: float | None
    flips: float


LIMITS = {"float32": Limits(1e-4, 0.0), "int8": Limits(None, 0.01)}


@dataclass(frozen=True)
class Comparison:
    """One ONNX file against its reference.

    Attributes:
        name: Of the file.
        reference: What it was compared with.
        faces: Number of faces.
        difference: Largest absolute difference of any probability.
        mean_difference: Mean absolute difference.
        flips: Number of faces that get another label.
        limits: What is accepted.
        metrics: Of the file on these faces.
    """

    name: str
    reference: str
    faces: int
    difference: float
    mean_difference: float
    flips: int
    limits: Limits
    metrics: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every limit is kept."""
        close = self.limits.difference is None or self.difference <= self.limits.difference
        return close and self.flips <= self.limits.flips * self.faces


def verify(run: Run, models: Sequence[Path]) -> list[Comparison]:
    """Compare ONNX files with the Keras model of a training, on the faces that were kept out of it.

    A quantised file is compared with the first float32 file among `models`, if there is one, else with Keras.

    Raises:
        DataError: A file has other labels or another input size than the training.
        ModelError: A file is no mask classifier.
    """
    settings = run.settings
    network = keras.models.load_model(run.folder / MODEL, compile=False)
    original = predict(network.predict_on_batch, run.validation, settings)
    floating = ("Keras", original)  # until a float32 file takes its place
    comparisons = []
    classifiers = [MaskClassifier(path, device="cpu") for path in models]
    for classifier in sorted(classifiers, key=lambda one: one.info.precision != "float32"):
        info = classifier.info
        if (info.labels, info.input_size, info.crop_margin) != (settings.labels, settings.size, settings.margin):
            raise DataError(
                f"{classifier.path} is not of this training: expected {settings.labels}, {settings.size} pixels, margin"
                f" {settings.margin}, got {info.labels}, {info.input_size} pixels, margin {info.crop_margin}"
            )
        probabilities = predict(classifier, run.validation, settings)
        exact = info.precision == "float32"
        name, reference = ("Keras", original) if exact else floating
        comparisons.append(
            Comparison(
                name=classifier.path,
                reference=name,
                faces=len(probabilities),
                difference=float(np.abs(probabilities - reference).max()),
                mean_difference=float(np.abs(probabilities - reference).mean()),
                flips=int((probabilities.argmax(axis=1) != reference.argmax(axis=1)).sum()),
                limits=LIMITS.get(info.precision, LIMITS["int8"]),
                metrics=evaluate(run.validation, probabilities, settings.labels),
            )
        )
        if exact and floating[0] == "Keras":
            floating = (classifier.path, probabilities)
    return comparisons
