from __future__ import annotations

from pathlib import Path

import numpy as np

from maskcheck_export.data import Sample
from maskcheck_export.metrics import as_lines, evaluate

LABELS = ("with_mask", "without_mask")


def sample(label: str, side: float) -> Sample:
    return Sample(Path("a.jpg"), (0, 0, side, 2 * side), label, "crowd", "a", whole=False)


def test_accuracy_and_recall_are_told_for_all_faces_and_for_the_near_ones() -> None:
    samples = [sample("with_mask", 50), sample("with_mask", 10), sample("without_mask", 24), sample("without_mask", 23)]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]], np.float32)

    report = evaluate(samples, probabilities, LABELS)

    assert report["crowd"]["all"] == {
        "faces": 4,
        "accuracy": 0.75,
        "recall": {"with_mask": 0.5, "without_mask": 1.0},
    }
    assert report["crowd"][">=24px"] == {
        "faces": 2,
        "accuracy": 1.0,
        "recall": {"with_mask": 1.0, "without_mask": 1.0},
    }
    assert len(as_lines(report)) == 2


def test_a_slice_without_faces_is_left_out() -> None:
    report = evaluate([sample("with_mask", 10)], np.array([[0.9, 0.1]], np.float32), LABELS)

    assert set(report["crowd"]) == {"all"}
    assert set(report["crowd"]["all"]["recall"]) == {"with_mask"}
