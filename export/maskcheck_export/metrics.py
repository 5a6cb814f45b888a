"""How well predicted labels agree with the true ones, over all faces and by their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck_export.data import Sample

NEAR_FACE = 24
"""Faces whose shorter side is at least this many pixels are reported apart: smaller ones are barely visible."""


def evaluate(samples: Sequence[Sample], probabilities: NDArray[np.float32], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy and recall of each label, for each data set: all faces, and those of 24 pixels or more.

    Args:
        samples: N labelled faces.
        probabilities: (N, C), columns in the order of `labels`.
        labels: Names of the columns.

    Returns:
        ``{dataset: {slice: {"faces": int, "accuracy": float, "recall": {label: float}}}}``, JSON-ready.
    """
    datasets = sorted({sample.dataset for sample in samples})
    true = np.array([labels.index(sample.label) for sample in samples])
    predicted = probabilities.argmax(axis=1)
    near = np.array([sample.shorter_side >= NEAR_FACE for sample in samples])
    report: dict[str, Any] = {}
    for dataset in datasets:
        member = np.array([sample.dataset == dataset for sample in samples])
        report[dataset] = {"all": _scores(true[member], predicted[member], labels)}
        if (member & near).any():
            report[dataset][f">={NEAR_FACE}px"] = _scores(true[member & near], predicted[member & near], labels)
    return report


def _scores(true: NDArray[np.intp], predicted: NDArray[np.intp], labels: Sequence[str]) -> dict[str, Any]:
    recall = {
        label: round(float((predicted[true == i] == i).mean()), 4)
        for i, label in enumerate(labels)
        if (true == i).any()
    }
    return {
        "faces": len(true),
        "accuracy": round(float((true == predicted).mean()), 4),
        "recall": recall,
    }


def as_lines(report: dict[str, Any]) -> list[str]:
    """The result of :func:`evaluate` as lines of text for a terminal."""
    return [
        f"{dataset:>10} {name:<7} {scores['faces']:5d} faces   accuracy {scores['accuracy']:.4f}   recall "
        + ", ".join(f"{label} {value:.4f}" for label, value in scores["recall"].items())
        for dataset, slices in report.items()
        for name, scores in slices.items()
    ]
