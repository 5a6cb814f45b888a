"""Batches of validation crops for Keras, cut out as the SDK does."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.crops import Crops
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.prediction import BATCH, read_crops
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.batches import one_hot


class ValidationBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Crops in order, without augmentation: (uint8 crops (B, S, S, 3) RGB, one-hot labels (B, C))."""

    def __init__(self, samples: Sequence[Sample], settings: Settings) -> None:
        super().__init__()
        self._samples, self._settings = samples, settings

    def __len__(self) -> int:
        return -(-len(self._samples) // BATCH)

    def __getitem__(self, index: int) -> tuple[Crops, NDArray[np.float32]]:
        chosen = self._samples[index * BATCH : (index + 1) * BATCH]
        shape = self._settings.input
        crops = np.stack(list(read_crops(chosen, size=shape.size, margin=shape.margin)))
        return crops, one_hot([sample.label for sample in chosen], self._settings.labels)
