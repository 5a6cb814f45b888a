from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskcheck.evaluation.shares import wilson_interval
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.metrics import as_lines, score, summarise, summarise_intervals

LABELS = ("with_mask", "without_mask")


def sample(label: str, side: float) -> Sample:
    return Sample(Path("a.jpg"), (0, 0, side, 2 * side), label, "crowd", "a", whole=False)


def test_accuracy_and_recall_are_reported_for_all_faces_and_for_large_faces() -> None:
    samples = [sample("with_mask", 50), sample("with_mask", 10), sample("without_mask", 24), sample("without_mask", 23)]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]], np.float32)

    report = summarise(samples, probabilities, LABELS)

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


def test_a_slice_without_faces_is_left_out_of_the_summary() -> None:
    report = summarise([sample("with_mask", 10)], np.array([[0.9, 0.1]], np.float32), LABELS)

    assert set(report["crowd"]) == {"all"}
    assert set(report["crowd"]["all"]["recall"]) == {"with_mask"}


def test_scores_agree_with_counting_by_hand() -> None:
    true = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], np.float32)

    scores = score(true, probabilities, LABELS)

    assert scores["confusion_matrix"] == [[2, 1], [0, 1]]
    assert scores["accuracy"] == 0.75
    assert scores["mean_recall"] == pytest.approx((2 / 3 + 1) / 2)
    bare = scores["labels"]["without_mask"]
    assert (bare["precision"], bare["recall"], bare["support"]) == (0.5, 1.0, 1)
    # Ranked by the probability of being bare, a masked face comes before the only bare one.
    assert bare["average_precision"] == 0.5


def test_what_cannot_be_measured_is_null_and_not_zero() -> None:
    scores = score(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]], np.float32), LABELS)

    missing = scores["labels"]["without_mask"]
    assert missing["recall"] is missing["recall_interval"] is missing["precision"] is None
    assert scores["labels"]["with_mask"]["average_precision"] is None  # no other face to rank it against
    assert scores["mean_recall"] == 1.0


def test_each_share_of_a_summary_has_its_interval() -> None:
    samples = [sample("with_mask", 50)] * 3 + [sample("without_mask", 10)] * 2
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]], np.float32)

    intervals = summarise_intervals(samples, probabilities, LABELS)

    assert intervals["crowd"]["all"] == {
        "accuracy": [0.3755, 0.9638],  # Wilson's, 4 of 5
        "recall": {"with_mask": [0.2077, 0.9385], "without_mask": [0.3424, 1.0]},
    }
    assert set(intervals["crowd"][">=24px"]["recall"]) == {"with_mask"}


def test_the_interval_is_wide_for_few_faces_even_if_all_are_right() -> None:
    few, many = wilson_interval(5, 5), wilson_interval(500, 500)

    assert few is not None
    assert many is not None
    assert few == pytest.approx((0.5655, 1.0), abs=1e-4)  # 5 / (5 + 1.96 ** 2)
    assert many[0] > 0.99
    assert wilson_interval(0, 0) is None
