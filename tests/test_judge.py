"""The judge: what a detector proposes is scored by how it looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskcheck import Detections, load_image
from maskcheck.detectors.judge.appearance import FEATURES, appearance_features
from maskcheck.detectors.judge.judge import Judge, load_judge, moved
from maskcheck.pictures.decoding import BGRImage

HAAR = "maskcheck.detectors.haar"
FACE = (165, 145, 352, 365)
"""The face of the portrait, from hairline to chin and from ear to ear, measured by eye."""


@pytest.fixture
def picture(portrait: Path) -> BGRImage:
    return load_image(portrait).pixels


def proposed(*boxes: tuple[float, ...], score: float = 0.5) -> Detections:
    return Detections(np.array(boxes, np.float32), np.full(len(boxes), score, np.float32))


def test_a_judge_is_the_same_after_it_was_written_and_read() -> None:
    judge = load_judge(HAAR)

    again = Judge.from_bytes(judge.to_bytes())

    assert np.array_equal(again.hidden, judge.hidden)
    assert np.array_equal(again.score, judge.score)
    assert np.array_equal(again.move, judge.move)
    assert again.about == judge.about


def test_landmarks_and_probabilities_stay_with_the_box_that_is_judged(picture: BGRImage) -> None:
    candidates = replace(
        proposed(FACE, (0, 0, 60, 60)),
        landmarks=np.array([[[1, 1]], [[2, 2]]], np.float32),
        probabilities=np.array([[1, 0], [0, 1]], np.float32),
    )

    judged = load_judge(HAAR)(picture, candidates)

    assert judged.landmarks is candidates.landmarks
    assert judged.probabilities is candidates.probabilities


def test_the_judge_says_what_it_was_fitted_on() -> None:
    assert "pictures" in load_judge(HAAR).about


@pytest.mark.parametrize("content", [b"", b"no arrays", load_judge(HAAR).to_bytes()[:-200]])
def test_a_file_that_holds_no_judge_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="expected a fitted judge"):
        Judge.from_bytes(content)


def test_a_judge_of_other_features_is_refused() -> None:
    judge = load_judge(HAAR)

    with pytest.raises(ValueError, match=f"expected a judge of {FEATURES} features"):
        Judge(judge.hidden[:-1], judge.score, judge.move, "")


def test_a_move_is_in_shares_of_the_sides() -> None:
    box = np.array([[10, 20, 30, 60]], np.float32)

    right = moved(box, np.array([[0.1, 0, 0, 0]], np.float32))
    lower = moved(box, np.array([[0, -0.1, 0, 0]], np.float32))
    wider = moved(box, np.array([[0, 0, np.log(1.2), 0]], np.float32))

    assert right.tolist() == [[12, 20, 32, 60]]
    assert lower.tolist() == [[10, 16, 30, 56]]
    assert np.allclose(wider, [[8, 20, 32, 60]])


def test_a_description_depends_on_what_is_in_the_box_not_on_where_it_is(picture: BGRImage) -> None:
    wide = np.pad(picture, ((0, 0), (64, 0), (0, 0)), mode="edge")

    here = appearance_features(picture, proposed(FACE))
    there = appearance_features(wide, proposed(FACE).mapped(offset=(64, 0)))

    assert here.shape == (1, FEATURES)
    assert np.allclose(here, there, atol=1e-4)


def test_a_face_of_twice_the_size_looks_alike(picture: BGRImage) -> None:
    double = np.asarray(cv2.resize(picture, None, fx=2, fy=2), np.uint8)

    here, double_size = (
        appearance_features(image, proposed(FACE).mapped((factor, factor)))[0]
        for image, factor in ((picture, 1), (double, 2))
    )
    elsewhere = appearance_features(picture, proposed(FACE).mapped(offset=(-100, -100)))[0]

    assert np.linalg.norm(here - double_size) < 0.5 * np.linalg.norm(here - elsewhere)


def test_a_description_tells_size_and_the_score_of_the_detector(picture: BGRImage) -> None:
    unsure, sure = (appearance_features(picture, proposed(FACE, score=score))[0] for score in (0.1, 0.9))
    certain = appearance_features(picture, proposed(FACE, score=1))

    assert np.flatnonzero(unsure != sure).tolist() == [FEATURES - 1]
    assert unsure[-1] < sure[-1]
    assert np.isfinite(certain).all()
    assert appearance_features(picture, Detections.empty()).shape == (0, FEATURES)


def test_a_judge_keeps_the_landmarks_of_the_faces(picture: BGRImage) -> None:
    points = np.array([[[200, 200], [300, 200]]], np.float32)

    judged = load_judge(HAAR)(picture, replace(proposed(FACE), landmarks=points))

    assert judged.landmarks is not None
    assert np.array_equal(judged.landmarks, points)
    assert judged.scores[0] > 0.5


def test_many_candidates_are_judged_as_each_alone() -> None:
    judge = load_judge(HAAR)
    features = np.random.default_rng(0).normal(size=(50, FEATURES)).astype(np.float32)
    candidates = proposed(*[(0.0, 0.0, 10.0 + number, 20.0) for number in range(50)])

    together = judge.judge(candidates, features)
    alone = [judge.judge(candidates[number : number + 1], features[number : number + 1]) for number in range(50)]

    assert np.allclose(together.scores, [one.scores[0] for one in alone], atol=1e-6)
    assert np.allclose(together.boxes, [one.boxes[0] for one in alone], atol=1e-3)
    assert len(judge.judge(Detections.empty(), features[:0])) == 0
