"""Measures how well confidence agrees with accuracy, and fits the temperature that corrects it.

Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskcheck_export.errors import DataError

BINS = 15
"""Number of bins of equal width, as in the paper."""

TEMPERATURES = (0.05, 20.0)
"""Bounds of a fitted temperature: if every label is right, the best temperature is 0; if all are guesses, infinity."""


@dataclass(frozen=True)
class Reliability:
    """Faces by the confidence of the predicted label, in 15 bins of equal width.

    Attributes:
        faces: int (15,): number of faces in each bin.
        correct: int (15,): number of these that got their true label.
        confidence: float64 (15,): mean confidence in each bin, in [0, 1]; nan in an empty bin.
    """

    faces: NDArray[np.intp]
    correct: NDArray[np.intp]
    confidence: NDArray[np.float64]

    @classmethod
    def measure(cls, probabilities: NDArray[np.floating], true: NDArray[np.intp]) -> Reliability:
        """Count N faces in the bins.

        Args:
            probabilities: (N, C).
            true: (N,), column of the label of each face.
        """
        confidence = probabilities.max(axis=1).astype(np.float64)
        correct = probabilities.argmax(axis=1) == true
        # The upper edge belongs to a bin, as in the paper: confidence 1 is in the last bin.
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        faces = np.bincount(bins, minlength=BINS)
        sums = np.bincount(bins, weights=confidence, minlength=BINS)
        means = np.divide(sums, faces, out=np.full(BINS, np.nan), where=faces > 0)
        return cls(faces, np.bincount(bins[correct], minlength=BINS), means)

    @property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: mean distance of confidence from accuracy, weighted by faces."""
        filled = self.faces > 0
        gaps = np.abs(self.correct[filled] - self.faces[filled] * self.confidence[filled])
        return float(gaps.sum() / self.faces.sum())


def fit_temperature(probabilities: NDArray[np.floating], true: NDArray[np.intp]) -> float:
    """The temperature, from 0.05 to 20, with which :func:`apply_temperature` gives the lowest mean log loss.

    Above 1, the confidence of the classifier is too high.

    Args:
        probabilities: (N, C), of faces that were not trained on.
        true: (N,), column of the label of each face.

    Raises:
        DataError: There is no face.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(true):
        raise DataError("no face to fit a temperature on; keep validation faces by split.validation")
    logarithms = _logarithms(probabilities)
    rows = np.arange(len(true))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(logarithms / np.exp(log_temperature), axis=1)[rows, true].mean())

    fit = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(fit.x))


def apply_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N, C) with the logits divided by a temperature: softmax(log p / T). No label changes."""
    from scipy.special import softmax

    return np.asarray(softmax(_logarithms(probabilities) / temperature, axis=1), np.float32)


def mean_log_loss(probabilities: NDArray[np.floating], true: NDArray[np.intp]) -> float:
    """Mean log loss in nats, of probabilities (N, C) whose true labels are the columns `true` (N,)."""
    return float(-_logarithms(probabilities)[np.arange(len(true)), true].mean())


def _logarithms(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    # A softmax in float32 rounds the probability of an unlikely label to 0, whose logarithm is infinite.
    return np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
