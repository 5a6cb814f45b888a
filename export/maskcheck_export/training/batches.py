"""Batches of augmented crops for Keras, read from the pack when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import keras
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT
from maskcheck.pictures.crops import Crops
from maskcheck_export.augmentation.crops import random_crop
from maskcheck_export.data.pack import Pack
from maskcheck_export.data.samples import NO_FACE, Sample
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.network import HEAD

Targets: TypeAlias = dict[str, NDArray[np.float32]]
"""An array for each output of the network, by its name."""

Teach: TypeAlias = Callable[[Crops, Targets], tuple[Targets, Targets]]
"""From crops (B, S, S, 3) RGB, and how much each counts by its label, to the targets and weights of a teacher."""


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches: uint8 crops (B, S, S, 3) RGB, and the targets of the outputs with their weights.

    Order and augmentation depend only on the seed, the epoch and the place in the epoch, not on the timing of threads.

    Args:
        pack: The pixels of the samples.
        samples: The training samples, in the order of the pack.
        repeats: (N,), how many times each sample is drawn in an epoch; fractions are drawn at random.
        settings: The recipe.
        epoch: The first epoch, from 0.
        teach: Gives targets and weights by the answers of a teacher.
    """

    def __init__(
        self,
        pack: Pack,
        samples: Sequence[Sample],
        repeats: NDArray[np.float64],
        settings: Settings,
        *,
        epoch: int = 0,
        teach: Teach | None = None,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._teach = teach
        self._pack, self._samples, self._repeats, self._settings = pack, samples, repeats, settings
        self._weights = label_weights(samples, repeats, settings)
        self.begin(epoch)  # Keras takes the first batches before its callback for the begin of an epoch

    def begin(self, epoch: int) -> None:
        """Draw and shuffle the samples of an epoch.

        A callback gives the epoch: Keras calls ``on_epoch_end`` of a data set also before the first epoch.
        """
        self._epoch = epoch
        rng = np.random.default_rng([self._settings.seed, epoch])
        self._order = rng.permutation(_draw(self._repeats, rng))

    def __len__(self) -> int:
        # A smaller last batch is left out: it would disturb batch normalisation.
        return max(int(self._repeats.sum()) // self._settings.training.batch_size, 1)

    def __getitem__(self, index: int) -> tuple[Crops, Targets, Targets]:
        size = self._settings.training.batch_size
        places = np.arange(index * size, min((index + 1) * size, len(self._order)))
        chosen = self._order[places]
        crops = []
        for place, number, region in zip(places, chosen, self._pack.read(chosen.tolist()), strict=True):
            sample = self._samples[number]
            crop = random_crop(
                region,
                sample.label,
                whole=sample.whole,
                shape=self._settings.input,
                augmentation=self._settings.augmentation,
                rng=np.random.default_rng([self._settings.seed, self._epoch, int(place)]),
            )
            crops.append(crop)
        targets, weights = targets_of(
            [crop.label for crop in crops],
            [self._samples[number].is_face for number in chosen],
            [crop.box for crop in crops],
            self._settings,
            self._weights,
        )
        pixels = np.stack([crop.pixels for crop in crops])
        if self._teach is not None:
            targets, weights = self._teach(pixels, weights)
        return pixels, targets, weights


def _draw(repeats: NDArray[np.float64], rng: Generator) -> NDArray[np.intp]:
    """Indices: each as many times as the integer part of its repeats, and the fractions by systematic sampling."""
    steps = np.cumsum(repeats) + rng.random()
    counts = np.diff(np.floor(steps), prepend=np.floor(steps[0] - repeats[0])).astype(int)
    return np.repeat(np.arange(len(repeats)), counts)


def label_weights(samples: Sequence[Sample], repeats: NDArray[np.float64], settings: Settings) -> Mapping[str, float]:
    """Weight of each label in the loss, by the faces of an epoch, with painted masks."""
    chosen = settings.training.label_weights
    if isinstance(chosen, dict):
        return chosen
    if chosen == "none":
        return dict.fromkeys(settings.labels, 1.0)
    masks = settings.augmentation.masks
    drawn = {
        label: sum(repeat for sample, repeat in zip(samples, repeats, strict=True) if sample.label == label)
        for label in settings.labels
    }
    bare = drawn.get(masks.bare_label, 0.0)
    for share, label in masks.painted.values():
        if label in drawn:
            drawn[label] += share * bare
            drawn[masks.bare_label] -= share * bare
    total = sum(drawn.values())
    return {label: total / (len(drawn) * max(count, 1.0)) for label, count in drawn.items()}


def targets_of(
    labels: Sequence[str],
    is_face: Sequence[float | None],
    boxes: Sequence[NDArray[np.float32] | None],
    settings: Settings,
    weights: Mapping[str, float],
) -> tuple[Targets, Targets]:
    """What the network is to say of N crops, by output, and how much each crop counts.

    Args:
        labels: Label of each; one without a face teaches no label.
        is_face: Whether each is on a face; one of which that is open does not teach it.
        boxes: Where the face of each is; one of which that is unknown does not teach it.
        settings: The recipe.
        weights: Of each label.

    Returns:
        Float32 targets (N, K) and weights (N,), by name of the output.
    """
    targets = {HEAD: one_hot(labels, settings.labels)}
    counts = {HEAD: np.array([0.0 if label == NO_FACE else weights[label] for label in labels], np.float32)}
    if settings.has_second_look:
        targets[FACE_OUTPUT] = np.array([[known or 0.0] for known in is_face], np.float32)
        counts[FACE_OUTPUT] = np.array([known is not None for known in is_face], np.float32)
        nowhere = np.zeros(4, np.float32)
        targets[BOX_OUTPUT] = np.stack([nowhere if box is None else box for box in boxes])
        counts[BOX_OUTPUT] = np.array([box is not None for box in boxes], np.float32)
    return targets, counts


def one_hot(labels: Sequence[str], names: Sequence[str]) -> NDArray[np.float32]:
    """Labels as float32 (N, C), C in the order of `names`; zeros for what is no face."""
    rows = np.eye(len(names) + 1, len(names), dtype=np.float32)
    return rows[[len(names) if label == NO_FACE else names.index(label) for label in labels]]
