"""Intervals over pictures, and matching that agrees with the evaluator of the figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maskcheck.evaluation.bootstrap import Estimate, MatchedBoxes, draw_pictures, mean
from maskcheck.evaluation.face_sizes import SIZES
from maskcheck.evaluation.matching import FALSE, UNCOUNTED, Ranking, match_boxes
from maskcheck.evaluation.scoring import score_rankings


def street(pictures: int, seed: int, *, ties: bool = False) -> list[Ranking]:
    """Faces of 4 to 120 pixels, some of them not asked for and some regions ignored; boxes near them and elsewhere."""
    random = np.random.default_rng(seed)
    rankings = []
    for _ in range(pictures):
        count = random.integers(0, 9)
        sides = random.uniform(4, 120, (count, 1)) * random.uniform(0.7, 1.4, (count, 2))
        corners = random.uniform(0, 500, (count, 2))
        faces = np.hstack([corners, corners + sides])
        near = np.repeat(faces, 2, axis=0)
        near = near + random.normal(0, 0.12, near.shape) * np.repeat(np.repeat(sides, 2, axis=0), 2, axis=1)
        near = near[near[:, 2] > near[:, 0] + 1]
        near = near[near[:, 3] > near[:, 1] + 1]
        elsewhere = random.uniform(0, 500, (5, 2))
        detected = np.vstack([near, np.hstack([elsewhere, elsewhere + random.uniform(5, 60, (5, 1))])])
        scores = random.integers(1, 40, len(detected)) / 40 if ties else random.random(len(detected))
        kind = random.choice(3, count, p=[0.7, 0.15, 0.15])
        rankings.append(Ranking(faces, kind == 1, detected.astype(np.float32), scores, kind == 2))
    return rankings


def several(rankings: list[Ranking], times: np.ndarray) -> list[Ranking]:
    return [ranking for ranking, count in zip(rankings, times, strict=True) for _ in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_values_are_those_of_the_evaluator(size: str) -> None:
    rankings = street(60, seed=1, ties=True)
    drawn = draw_pictures(60, times=1)

    matched = MatchedBoxes.of(rankings, *SIZES[size])
    score = score_rankings(rankings)[size]

    assert int(matched.faces.sum()) == score.faces > 0
    assert matched.average_precision(drawn).value == pytest.approx(score.ap50, abs=1e-9)
    assert matched.recall(drawn).value == pytest.approx(score.recall, abs=1e-9)


def test_a_resample_has_the_figures_of_its_pictures_each_as_often_as_it_was_drawn() -> None:
    rankings = street(12, seed=2)
    drawn = draw_pictures(12, times=3, seed=5)
    matched = MatchedBoxes.of(rankings)

    scores = [score_rankings(several(rankings, times))["all"] for times in drawn]

    precision, recall = matched.average_precision(drawn), matched.recall(drawn)
    assert [precision.value, *precision.resampled] == pytest.approx([score.ap50 for score in scores], abs=1e-9)
    assert [recall.value, *recall.resampled] == pytest.approx([score.recall for score in scores], abs=1e-9)


def test_the_interval_narrows_with_the_number_of_pictures_and_holds_the_value() -> None:
    widths = []
    for pictures in (40, 640):
        estimate = MatchedBoxes.of(street(pictures, seed=3)).average_precision(draw_pictures(pictures, times=300))
        assert estimate.interval is not None
        low, high = estimate.interval
        assert low < estimate.value < high
        widths.append(high - low)

    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)  # by the root of 16


def test_the_difference_of_two_detectors_on_the_same_pictures_is_paired() -> None:
    rankings = street(200, seed=4)
    drawn = draw_pictures(200, times=300)
    # The second detector misses what the first finds in one picture of 40.
    fewer = [
        Ranking(r.annotated, r.ignored, r.detected[:0], r.scores[:0], r.others) if index % 40 == 0 else r
        for index, r in enumerate(rankings)
    ]

    first, second = (MatchedBoxes.of(each).recall(drawn) for each in (rankings, fewer))
    difference = second - first

    assert first.interval is not None
    assert second.interval is not None
    assert difference.interval is not None
    assert second.interval[1] > first.interval[0]  # their own intervals overlap
    assert difference.interval[1] < 0  # and yet the second one is worse
    assert difference.value == pytest.approx(second.value - first.value)


def test_without_faces_there_is_no_figure_and_no_interval() -> None:
    nothing = Ranking(np.zeros((0, 4)), np.zeros(0, np.bool_), np.array([[0.0, 0, 9, 9]]), np.array([0.5]))
    matched = MatchedBoxes.of([nothing, nothing])
    drawn = draw_pictures(2, times=10)

    for estimate in (matched.average_precision(drawn), matched.recall(drawn)):
        assert math.isnan(estimate.value)
        assert estimate.interval is None


def test_the_mean_over_labels_leaves_out_a_label_that_a_resample_lacks() -> None:
    common, rare = Estimate(0.8, np.array([0.7, 0.9])), Estimate(0.4, np.array([math.nan, 0.5]))

    both = mean([common, rare])

    assert both.value == pytest.approx(0.6)
    assert both.resampled == pytest.approx([0.7, 0.7])


def test_boxes_are_matched_from_the_surest_on() -> None:
    face, region = [0.0, 0, 40, 40], [100.0, 0, 200, 100]
    detected = np.array([[2.0, 2, 40, 40], [0, 0, 40, 40], [110, 10, 130, 30], [300, 0, 340, 40], [400, 0, 410, 10]])
    ranking = Ranking(np.array([face, region]), np.array([False, True]), detected, np.array([0.6, 0.9, 0.8, 0.7, 0.5]))

    assert match_boxes(ranking).tolist() == [FALSE, 0, UNCOUNTED, FALSE, FALSE]
    assert match_boxes(ranking, low=24).tolist() == [FALSE, 0, UNCOUNTED, FALSE, UNCOUNTED]
