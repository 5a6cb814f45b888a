"""Batches of validation crops for Keras, cut out as the SDK does."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.second_look import relative_boxes
from maskcheck.pictures.crops import Crops
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.prediction import BATCH, read_crops
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.batches import Targets, targets_of


class ValidationBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Crops in order, without augmentation, and the targets of the outputs with their weights."""

    def __init__(self, samples: Sequence[Sample], settings: Settings) -> None:
        super().__init__()
        self._samples, self._settings = samples, settings

    def __len__(self) -> int:
        return -(-len(self._samples) // BATCH)

    def __getitem__(self, index: int) -> tuple[Crops, Targets, Targets]:
        chosen = self._samples[index * BATCH : (index + 1) * BATCH]
        settings = self._settings
        crops = np.stack(list(read_crops(chosen, size=settings.input.size, margin=settings.input.margin)))
        targets, weights = targets_of(
            [sample.label for sample in chosen],
            [sample.is_face for sample in chosen],
            [_place(sample) for sample in chosen],
            settings,
            dict.fromkeys(settings.labels, 1.0),
        )
        return crops, targets, weights


def _place(sample: Sample) -> NDArray[np.float32] | None:
    return None if sample.face is None else relative_boxes(np.array([sample.face]), np.array([sample.box]))[0]
