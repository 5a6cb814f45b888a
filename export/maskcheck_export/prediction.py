"""What a classifier, of Keras or in ONNX, says of labelled faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from maskcheck.crops import Crops
from maskcheck_export.batches import plain_crops
from maskcheck_export.data import Sample
from maskcheck_export.runs import Settings


def predict(
    classify: Callable[[Crops], NDArray[np.float32]], samples: Sequence[Sample], settings: Settings
) -> NDArray[np.float32]:
    """Probabilities (N, C) of a classifier for the crops that the SDK would cut.

    Args:
        classify: From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C): a ``MaskClassifier``, or the
            ``predict_on_batch`` of a Keras model.
        samples: N labelled faces.
        settings: Input size and margin.
    """
    batches = plain_crops(samples, size=settings.size, margin=settings.margin)
    return np.concatenate([classify(crops) for crops in batches])
