"""Crops to measure the classifier on."""

from __future__ import annotations

import numpy as np

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops


def draw_noise(classifier: MaskClassifier, count: int) -> Crops:
    """Crops of noise, which take the classifier as long as faces do; always the same: uint8 (count, S, S, 3)."""
    size = classifier.info.input_size
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
