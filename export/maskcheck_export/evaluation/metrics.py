"""Scores of predicted labels against the true labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.face_sizes import LARGE_FROM
from maskcheck.evaluation.shares import wilson_interval
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.calibration import Reliability


def columns(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.intp]:
    """The column of the label of each sample: intp (N,)."""
    return np.array([labels.index(sample.label) for sample in samples], np.intp)


def summarise(samples: Sequence[Sample], probabilities: NDArray[np.float32], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy and recall of each label, for each data set: of all faces, and of faces of 24 pixels or more.

    Args:
        samples: N labelled faces.
        probabilities: (N, C), columns in the order of `labels`.
        labels: Names of the columns.

    Returns:
        ``{dataset: {slice: {"faces": int, "accuracy": float, "recall": {label: float}}}}``, ready for JSON.
    """
    return _summarise(samples, probabilities, labels, _summary)


def summarise_intervals(
    samples: Sequence[Sample], probabilities: NDArray[np.float32], labels: Sequence[str]
) -> dict[str, Any]:
    """The 95% intervals of what :func:`summarise` gives, apart from it: `maskcheck info` shows each as a table.

    Returns:
        ``{dataset: {slice: {"accuracy": [low, high], "recall": {label: [low, high]}}}}``, ready for JSON.
    """
    return _summarise(samples, probabilities, labels, _intervals)


def _summarise(
    samples: Sequence[Sample],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    summary: Callable[[NDArray[np.intp], NDArray[np.intp], Sequence[str]], dict[str, Any]],
) -> dict[str, Any]:
    true, predicted = columns(samples, labels), probabilities.argmax(axis=1)
    large = np.array([sample.shorter_side >= LARGE_FROM for sample in samples])
    report: dict[str, Any] = {}
    for dataset in sorted({sample.dataset for sample in samples}):
        member = np.array([sample.dataset == dataset for sample in samples])
        slices = {"all": member, f">={LARGE_FROM}px": member & large}
        report[dataset] = {
            name: summary(true[chosen], predicted[chosen], labels) for name, chosen in slices.items() if chosen.any()
        }
    return report


def _summary(true: NDArray[np.intp], predicted: NDArray[np.intp], labels: Sequence[str]) -> dict[str, Any]:
    recall = {
        label: round(float((predicted[true == i] == i).mean()), 4)
        for i, label in enumerate(labels)
        if (true == i).any()
    }
    return {"faces": len(true), "accuracy": round(float((true == predicted).mean()), 4), "recall": recall}


def _intervals(true: NDArray[np.intp], predicted: NDArray[np.intp], labels: Sequence[str]) -> dict[str, Any]:
    def bounds(right: NDArray[np.bool_]) -> list[float]:
        interval = wilson_interval(int(right.sum()), len(right))
        return [round(bound, 4) for bound in interval or ()]

    recall = {label: bounds(predicted[true == i] == i) for i, label in enumerate(labels) if (true == i).any()}
    return {"accuracy": bounds(true == predicted), "recall": recall}


def as_lines(report: dict[str, Any]) -> list[str]:
    """The result of :func:`summarise` as lines of text."""
    return [
        f"{dataset:>10} {name:<7} {scores['faces']:5d} faces   accuracy {scores['accuracy']:.4f}   recall "
        + ", ".join(f"{label} {value:.4f}" for label, value in scores["recall"].items())
        for dataset, slices in report.items()
        for name, scores in slices.items()
    ]


def classification_report(true: NDArray[np.intp], predicted: NDArray[np.intp], labels: Sequence[str]) -> str:
    """Precision, recall, F1 score and support of each label, as scikit-learn prints them."""
    from sklearn.metrics import classification_report

    numbers = range(len(labels))
    return str(classification_report(true, predicted, labels=numbers, target_names=labels, zero_division=0))


def score(true: NDArray[np.intp], probabilities: NDArray[np.float32], labels: Sequence[str]) -> dict[str, Any]:
    """All scores of a list of faces, ready for JSON.

    A score that does not exist is None: the recall of a label that no face has, or the average precision of a label
    that all faces have.

    Args:
        true: (N,), column of the label of each face; N is 1 or more.
        probabilities: (N, C), columns in the order of `labels`.
        labels: Names of the columns.

    Returns:
        ``faces`` (N), ``accuracy`` and ``accuracy_interval``, ``mean_recall`` (over the labels that occur),
        ``expected_calibration_error``, ``confusion_matrix`` (rows true, columns predicted) and ``labels``: for
        each, ``precision``, ``recall``, ``recall_interval``, ``f1``, ``support`` and ``average_precision``.
    """
    from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_fscore_support

    predicted = probabilities.argmax(axis=1)
    numbers = range(len(labels))
    confusion = confusion_matrix(true, predicted, labels=numbers)
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=numbers, zero_division=np.nan
    )
    by_label = {
        label: {
            "precision": _number(precision[i]),
            "recall": _number(recall[i]),
            "recall_interval": wilson_interval(int(confusion[i, i]), int(support[i])),
            "f1": _number(f1[i]),
            "support": int(support[i]),
            "average_precision": _number(average_precision_score(true == i, probabilities[:, i]))
            if 0 < support[i] < len(true)
            else None,
        }
        for i, label in enumerate(labels)
    }
    correct = int((true == predicted).sum())
    return {
        "faces": len(true),
        "accuracy": correct / len(true),
        "accuracy_interval": wilson_interval(correct, len(true)),
        "mean_recall": float(np.nanmean(recall)),
        "expected_calibration_error": Reliability.measure(probabilities, true).error,
        "labels": by_label,
        "confusion_matrix": confusion.tolist(),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
