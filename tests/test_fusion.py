from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from maskcheck import Detections
from maskcheck.detectors.fusion import best_of_each_face, concatenate, merge, one_box_per_face, overlap


def detections(*faces: tuple[Sequence[float], float]) -> Detections:
    return Detections(
        np.array([box for box, _ in faces], np.float32).reshape(-1, 4),
        np.array([score for _, score in faces], np.float32),
    )


def test_overlap_is_intersection_over_union() -> None:
    one = np.array([[0, 0, 10, 10]], np.float32)
    others = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [5, 5, 15, 15], [20, 20, 30, 30], [3, 3, 3, 9]], np.float32)

    assert overlap(one, others)[0] == pytest.approx([1, 0.5, 25 / 175, 0, 0])
    assert overlap(others[4:], others[4:]).tolist() == [[0]]


def test_boxes_of_one_face_become_their_mean_weighted_by_score() -> None:
    merged = merge(detections(([0, 0, 10, 10], 0.9), ([1, 0, 11, 10], 0.3)))

    assert merged.boxes[0] == pytest.approx([0.25, 0, 10.25, 10])
    assert merged.scores == pytest.approx([0.9])


def test_different_faces_stay_apart_by_falling_score() -> None:
    merged = merge(detections(([50, 50, 60, 60], 0.2), ([0, 0, 10, 10], 0.9)))

    assert merged.boxes.tolist() == [[0, 0, 10, 10], [50, 50, 60, 60]]


def test_a_box_that_overlaps_but_does_not_agree_has_no_vote() -> None:
    loose = [0, 0, 10, 21]  # overlap of 100 / 210

    merged = merge(detections(([0, 0, 10, 10], 0.9), (loose, 0.8)))

    assert merged.boxes.tolist() == [[0, 0, 10, 10]]


def test_landmarks_are_those_of_the_best_box() -> None:
    faces = Detections(
        np.array([[0, 0, 10, 10], [1, 0, 11, 10]], np.float32),
        np.array([0.3, 0.9], np.float32),
        np.array([[[1, 1]], [[2, 2]]], np.float32),
    )

    landmarks = merge(faces).landmarks

    assert landmarks is not None
    assert landmarks.tolist() == [[[2, 2]]]


def test_nothing_and_boxes_without_area_or_certainty_are_fine() -> None:
    assert len(merge(Detections.empty())) == 0
    assert len(merge(detections(([3, 3, 3, 3], 0.0), ([5, 5, 9, 9], 0.0)))) == 2


def test_detections_are_put_together_with_their_landmarks_if_all_have_some() -> None:
    bare = detections(([0, 0, 1, 1], 0.5))
    with_points = Detections(bare.boxes, bare.scores, np.zeros((1, 5, 2), np.float32))

    assert len(concatenate([])) == 0
    both = concatenate([with_points, with_points])
    assert both.landmarks is not None
    assert both.landmarks.shape == (2, 5, 2)
    assert concatenate([with_points, bare]).landmarks is None


def test_one_box_is_left_of_a_face_and_its_parts() -> None:
    whole, eye, beside = [10, 10, 90, 110], [20, 30, 45, 55], [80, 10, 130, 70]
    faces = Detections(np.array([eye, whole, beside], np.float32), np.array([0.7, 0.9, 0.6], np.float32))

    assert one_box_per_face(faces, 200, 200).boxes.tolist() == [whole, beside]


# --- Probabilities


def labelled(box: Sequence[float], score: float, row: Sequence[float]) -> Detections:
    return Detections(
        np.array([box], np.float32), np.array([score], np.float32), None, np.array([row], np.float32).reshape(1, -1)
    )


def test_probabilities_of_all_parts_are_kept() -> None:
    together = concatenate(
        [labelled([0, 0, 10, 10], 0.5, [1, 0]), Detections.empty(), labelled([0, 0, 9, 9], 0.9, [0.25, 0.75])]
    )

    assert together.probabilities is not None
    assert together.probabilities.tolist() == [[1, 0], [0.25, 0.75]]


@pytest.mark.parametrize(
    "other",
    [detections(([0, 0, 9, 9], 0.9)), labelled([0, 0, 9, 9], 0.9, [0.25, 0.25, 0.5])],
    ids=["without", "of other labels"],
)
def test_probabilities_that_not_all_parts_have_are_left_out(other: Detections) -> None:
    assert concatenate([labelled([0, 0, 10, 10], 0.5, [1, 0]), other]).probabilities is None


@pytest.mark.parametrize("fuse", [merge, lambda candidates: one_box_per_face(candidates, 100, 100)])
def test_a_face_has_the_probabilities_of_its_best_box(fuse: Callable[[Detections], Detections]) -> None:
    candidates = concatenate(
        [
            labelled([0, 0, 10, 10], 0.5, [1, 0]),
            labelled([1, 0, 11, 10], 0.9, [0.25, 0.75]),
            labelled([50, 50, 60, 60], 0.7, [0.5, 0.5]),
        ]
    )

    faces = fuse(candidates)

    assert faces.scores == pytest.approx([0.9, 0.7])
    assert faces.probabilities is not None
    assert faces.probabilities.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_each_face_says_which_candidate_was_its_best() -> None:
    boxes = np.array([[0, 0, 10, 10], [200, 0, 210, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)
    scores = np.array([0.6, 0.9, 0.8, 0.7], np.float32)

    faces, best = best_of_each_face(Detections(boxes, scores), 100, 20)  # the second one is outside

    assert best.tolist() == [2, 3]
    assert faces.scores.tolist() == scores[best].tolist()


def test_a_less_sure_box_around_a_face_is_the_same_face() -> None:
    face, around, beside = [40, 40, 60, 60], [30, 30, 80, 80], [65, 30, 115, 80]
    judged = Detections(np.array([around, face, beside], np.float32), np.array([0.7, 0.9, 0.6], np.float32))

    kept = one_box_per_face(judged, 200, 200)

    np.testing.assert_allclose(kept.boxes, [face, beside], atol=1e-3)
