"""Average precision and recall of rankings whose scores can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from maskcheck.evaluation.face_sizes import MAIN, SIZES
from maskcheck.evaluation.matching import Ranking
from maskcheck.evaluation.scoring import score_rankings

NEAR, FAR, ODD = [0, 0, 100, 100], [200, 200, 210, 214], [300, 300, 330, 330]


def ranking(
    annotated: Sequence[Sequence[float]],
    detected: Sequence[tuple[Sequence[float], float]],
    *,
    ignored: Sequence[Sequence[float]] = (),
    others: Sequence[Sequence[float]] = (),
) -> Ranking:
    boxes = [*annotated, *ignored, *others]
    kind = np.repeat([0, 1, 2], [len(annotated), len(ignored), len(others)])
    return Ranking(
        annotated=np.array(boxes, np.float64).reshape(-1, 4),
        ignored=kind == 1,
        detected=np.array([box for box, _ in detected], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in detected], np.float32),
        others=kind == 2,
    )


def test_all_faces_ranked_above_all_false_boxes_is_perfect() -> None:
    score = score_rankings([ranking([NEAR, FAR], [(NEAR, 0.9), (FAR, 0.8), (ODD, 0.1)])])["all"]

    assert (score.faces, score.ap50, score.recall) == (2, 1, 1)


def test_a_false_box_counts_by_its_rank_over_all_pictures() -> None:
    score = score_rankings([ranking([NEAR], [(NEAR, 0.9)]), ranking([FAR], [(ODD, 0.8), (FAR, 0.7)])])["all"]

    # Precision is 1 up to a recall of 0.5 (51 of the 101 recalls), then 2 of 3.
    assert score.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert score.precision[[0, 50, 51, 100]] == pytest.approx([1, 1, 2 / 3, 2 / 3])


def test_a_face_that_is_not_detected_bounds_recall_and_precision() -> None:
    score = score_rankings([ranking([NEAR, FAR], [(NEAR, 0.9)])])["all"]

    assert score.recall == 0.5
    assert score.ap50 == pytest.approx(51 / 101)


def test_a_second_box_on_the_same_face_is_false() -> None:
    score = score_rankings([ranking([NEAR, FAR], [(NEAR, 0.9), ([2, 2, 99, 99], 0.8), (FAR, 0.7)])])["all"]

    assert score.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_box_matches_from_an_overlap_of_one_half() -> None:
    half, less = [0, 0, 100, 50], [0, 0, 100, 49]

    assert score_rankings([ranking([NEAR], [(half, 0.9)])])["all"].recall == 1
    assert score_rankings([ranking([NEAR], [(less, 0.9)])])["all"].recall == 0


def test_a_box_on_a_face_that_is_not_asked_for_is_neither_right_nor_wrong_and_a_second_one_is_wrong() -> None:
    once = score_rankings([ranking([NEAR], [(ODD, 0.9), (NEAR, 0.8)], others=[ODD])])["all"]
    twice = score_rankings([ranking([NEAR], [(ODD, 0.9), (ODD, 0.85), (NEAR, 0.8)], others=[ODD])])["all"]

    assert (once.faces, once.ap50, once.recall) == (1, 1, 1)
    assert twice.ap50 == pytest.approx(1 / 2)


def test_boxes_in_an_ignored_region_are_neither_right_nor_wrong() -> None:
    within = [([10, 10, 20, 20], 0.9), ([12, 12, 22, 22], 0.85), ([90, 20, 110, 40], 0.83)]  # the last by half
    beyond = ([91, 20, 111, 40], 0.82)

    score = score_rankings([ranking([FAR], [*within, (FAR, 0.8)], ignored=[NEAR])])["all"]
    wrong = score_rankings([ranking([FAR], [*within, beyond, (FAR, 0.8)], ignored=[NEAR])])["all"]

    assert (score.faces, score.ap50, score.recall) == (1, 1, 1)
    assert wrong.ap50 == pytest.approx(1 / 2)


def test_a_face_in_an_ignored_region_is_found_before_the_region_hides_it() -> None:
    score = score_rankings([ranking([FAR], [(FAR, 0.9)], ignored=[[150, 150, 250, 250]])])["all"]

    assert (score.faces, score.recall) == (1, 1)


def test_the_size_of_a_face_is_its_shorter_side() -> None:
    scores = score_rankings([ranking([NEAR, FAR], [(NEAR, 0.9), (ODD, 0.85)])])

    assert {name: score.faces for name, score in scores.items() if score.faces} == {
        "all": 2,
        ">= 12 px": 1,
        ">= 24 px": 1,
        "8 to 12 px": 1,
        ">= 96 px": 1,
    }
    assert scores[">= 96 px"].ap50 == 1  # the false box of 30 px does not count there
    assert scores["8 to 12 px"].recall == 0
    assert math.isnan(scores["48 to 96 px"].ap50)


def test_every_size_belongs_to_one_class() -> None:
    bounds = sorted(bounds for name, bounds in SIZES.items() if name not in MAIN)

    assert bounds[0][0] == 0
    assert bounds[-1][1] == math.inf
    assert all(smaller[1] == larger[0] for smaller, larger in pairwise(bounds))
    edge = score_rankings([ranking([[0, 0, 12, 40]], [])])
    assert {name for name, score in edge.items() if score.faces} == {"all", ">= 12 px", "12 to 24 px"}


def test_a_crowd_larger_than_cocos_own_limit_is_ranked() -> None:
    crowd = [[20.0 * (i % 40), 20.0 * (i // 40), 20.0 * (i % 40) + 15, 20.0 * (i // 40) + 15] for i in range(400)]

    score = score_rankings([ranking(crowd, [(box, 0.5) for box in crowd])])["all"]

    assert score.recall == 1


def test_without_faces_there_is_no_score() -> None:
    scores = score_rankings([ranking([], []), ranking([], [(NEAR, 0.5)])])

    assert scores["all"].faces == 0
    assert math.isnan(scores["all"].ap50)


def test_the_best_min_score_keeps_the_faces_and_drops_false_boxes() -> None:
    detected = [(NEAR, 0.9), (FAR, 0.7), (ODD, 0.4), ([400, 400, 420, 420], 0.3)]

    score = score_rankings([ranking([NEAR, FAR], detected)])["all"]
    nothing = score_rankings([ranking([NEAR], [(ODD, 0.9)])])["all"]

    assert score.best_min_score == pytest.approx(0.7)
    assert math.isnan(nothing.best_min_score)
