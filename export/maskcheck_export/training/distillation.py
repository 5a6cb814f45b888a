"""Distillation: a trained classifier answers for the training crops, and a smaller one learns its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT
from maskcheck.classifier.second_look import Look
from maskcheck.pictures.crops import Crops
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.batches import Targets
from maskcheck_export.training.network import HEAD


@dataclass(frozen=True)
class Teacher:
    """A classifier on ONNX Runtime whose answers are the targets of a training.

    Attributes:
        classifier: The classifier.
        has_second_look: Whether it teaches the second look, too.
    """

    classifier: MaskClassifier
    has_second_look: bool

    @classmethod
    def of(cls, settings: Settings) -> Teacher | None:
        """The teacher that a recipe names; None if it names none.

        Raises:
            DataError: It has other labels or another margin than the recipe, or no second look, which it needs.
            MaskCheckError: There is no such file, or it is not a mask classifier.
        """
        name = settings.distillation.teacher
        if not name:
            return None
        classifier = MaskClassifier(name, precision="stored")
        info = classifier.info
        if (info.labels, info.crop_margin) != (settings.labels, settings.input.margin):
            raise DataError(
                f"the teacher {name} is of another kind: expected labels {', '.join(settings.labels)} and a margin of"
                f" {settings.input.margin:g}, got {', '.join(info.labels)} and {info.crop_margin:g}"
            )
        if settings.has_second_look and info.second_look is None:
            raise DataError(
                f"the teacher {name} has no second look, which the recipe trains; choose another teacher, or set"
                " data.proposals to 0"
            )
        return cls(classifier, settings.has_second_look)

    @property
    def description(self) -> str:
        """File name and SHA-256, for the record of the training."""
        return f"{Path(self.classifier.path).name}, SHA-256 {self.classifier.sha256}"

    def teach(self, crops: Crops, counts: Targets) -> tuple[Targets, Targets]:
        """What the teacher says of a batch of crops.

        What it takes for no face has no label and no place to learn: on a proposal, these two count as much as the
        teacher sees a face.

        Args:
            crops: uint8 (B, S, S, 3), RGB.
            counts: How much each crop counts in the loss, by output; of those with a label, the label counts as before.

        Returns:
            Targets and weights, by name of the output.
        """
        look = self._look(crops)
        if look.face is None or look.box is None or not self.has_second_look:
            return {HEAD: look.probabilities}, {HEAD: counts[HEAD]}
        labelled = counts[HEAD] > 0
        return (
            {HEAD: look.probabilities, FACE_OUTPUT: look.face[:, None], BOX_OUTPUT: look.box},
            {
                HEAD: np.where(labelled, counts[HEAD], look.face),
                FACE_OUTPUT: np.ones(len(crops), np.float32),
                BOX_OUTPUT: look.face,
            },
        )

    def _look(self, crops: Crops) -> Look:
        size = self.classifier.info.input_size
        if crops.shape[1] != size:
            # Not cut out again: teacher and student must see the same pixels.
            resized = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR) for crop in crops]
            crops = np.asarray(resized, np.uint8)
        return self.classifier.look(crops)


class SoftCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of two softmaxes at a higher temperature T, times T squared (Hinton et al. 2015, section 2.1).

    The factor keeps the size of the gradients. Rows that are all zeros must have no weight.

    Args:
        temperature: T, 1 or more.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__(name="soft_crossentropy")
        self.temperature = temperature

    def call(self, true: keras.KerasTensor, predicted: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of each crop, (B,), of probabilities (B, C) at temperature 1."""
        soft_true, soft_predicted = self._soften(true), self._soften(predicted)
        return self.temperature**2 * keras.losses.categorical_crossentropy(soft_true, soft_predicted)

    def _soften(self, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        logits = keras.ops.log(keras.ops.clip(probabilities, keras.config.epsilon(), 1.0))
        return keras.ops.softmax(logits / self.temperature, axis=-1)

    def get_config(self) -> dict[str, object]:
        """The arguments, for Keras."""
        return {"temperature": self.temperature}
