"""Batches of crops for Keras, decoded from the pictures as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.crops import Crops, crop_face
from maskcheck.images import load_image
from maskcheck_export.augmentation import random_crop
from maskcheck_export.data import Sample


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches: (uint8 crops (B, S, S, 3) RGB, one-hot labels (B, C), weights (B,)).

    Order and augmentation depend on the seed, the epoch and the place in it alone, not on thread timing.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Sequence[str],
        *,
        size: int,
        margin: float,
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._samples = list(samples)
        self._targets = one_hot(samples, labels)
        counts = self._targets.sum(axis=0)
        self._weights = len(samples) / (len(labels) * counts)  # rare labels count as much as frequent ones
        self._size, self._margin, self._batch_size, self._seed = size, margin, batch_size, seed
        self._epoch = -1
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._samples))

    def __len__(self) -> int:
        return len(self._samples) // self._batch_size or 1  # a short last batch would disturb batch norm

    def __getitem__(self, index: int) -> tuple[Crops, NDArray[np.float32], NDArray[np.float32]]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        crops = np.stack([self._crop(i) for i in chosen])
        targets = self._targets[chosen]
        return crops, targets, (targets @ self._weights).astype(np.float32)

    def _crop(self, index: int) -> NDArray[np.uint8]:
        sample = self._samples[index]
        rng = np.random.default_rng([self._seed, self._epoch, index])
        image = load_image(sample.path).pixels
        return random_crop(image, sample, size=self._size, margin=self._margin, rng=rng)


def one_hot(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.float32]:
    """Labels of samples as float32 (N, C)."""
    return np.eye(len(labels), dtype=np.float32)[[labels.index(sample.label) for sample in samples]]


def plain_crops(samples: Sequence[Sample], *, size: int, margin: float, batch_size: int = 64) -> Iterator[Crops]:
    """The crops that the SDK would classify, unchanged, in batches of at most `batch_size`."""
    for start in range(0, len(samples), batch_size):
        yield np.stack(
            [
                crop_face(load_image(sample.path).pixels, np.array(sample.box), size=size, margin=margin)
                for sample in samples[start : start + batch_size]
            ]
        )
