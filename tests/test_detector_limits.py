"""What bounds a detector: many candidates, pictures of any shape, options that ask for too much."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, PluginError, load_image
from maskcheck.detectors.fusion import MOST_CANDIDATES, concatenate, foremost, merge, overlap
from maskcheck.detectors.haar.detector import HaarDetector
from maskcheck.detectors.haar.plain import PlainHaarDetector
from maskcheck.detectors.judge import judge as judging
from maskcheck.detectors.judge.appearance import appearance_features
from maskcheck.detectors.judge.judge import MOST_DESCRIBED, Judge, load_judge
from maskcheck.detectors.scales import Scales, resize_for_network
from maskcheck.detectors.tiling import TiledDetector
from maskcheck.pictures.decoding import BGRImage

HAAR = "maskcheck.detectors.haar"
FACE = np.array([[165, 145, 352, 365]], np.float32)


def detections(boxes: NDArray[np.float32], score: float = 0.5) -> Detections:
    return Detections(boxes.astype(np.float32), np.full(len(boxes), score, np.float32))


def windows(centres: list[tuple[float, float]], side: float, counts: list[int]) -> NDArray[np.float32]:
    """Squares near some centres, so many near each."""
    rows = []
    for (x, y), count in zip(centres, counts, strict=True):
        offsets = np.random.default_rng(0).uniform(0, 0.05 * side, (count, 2))
        corner = np.array([x, y]) - side / 2 + offsets
        rows.append(np.concatenate([corner, corner + side], axis=1))
    return np.concatenate(rows).astype(np.float32)


# --- Many candidates


def test_up_to_the_bound_all_candidates_are_left_as_they_are() -> None:
    faces = detections(windows([(50, 50), (200, 50)], 40, [30, 10]))

    assert foremost(faces, 40) is faces


def test_no_face_is_left_out_because_another_has_more_windows() -> None:
    faces = detections(windows([(50, 50), (200, 50), (350, 50)], 40, [500, 3, 1]))

    left = foremost(faces, 12)

    centres = (left.boxes[:, 0] + left.boxes[:, 2]) / 2
    assert len(left) == 12
    assert [bool((abs(centres - x) < 30).any()) for x in (50, 200, 350)] == [True] * 3


def test_better_scores_go_first() -> None:
    scores = np.linspace(0, 1, 100, dtype=np.float32)
    faces = Detections(windows([(50, 50)], 40, [100]), scores)

    assert foremost(faces, 10).scores.tolist() == scores[90:].tolist()


def test_a_million_boxes_are_merged_in_bounded_memory() -> None:
    corners = np.random.default_rng(0).uniform(0, 4000, (1_000_000, 2)).astype(np.float32)
    faces = Detections(np.concatenate([corners, corners + 20], axis=1), np.linspace(0, 1, 1_000_000, dtype=np.float32))

    assert 0 < len(merge(faces)) <= MOST_CANDIDATES


def test_a_judge_looks_at_a_bounded_number_of_candidates(monkeypatch: pytest.MonkeyPatch, portrait: Path) -> None:
    described: list[int] = []

    def count(image: BGRImage, proposed: Detections) -> NDArray[np.float32]:
        described.append(len(proposed))
        return appearance_features(image, proposed)

    monkeypatch.setattr(judging, "appearance_features", count)
    picture = load_image(portrait).pixels
    many = detections(windows([(260, 250), (60, 60)], 200, [MOST_DESCRIBED, 2000]))

    load_judge(HAAR)(picture, many)

    assert described == [MOST_DESCRIBED]


# --- Judges


@pytest.mark.parametrize("box", [(10, 10, 10, 40), (10, 10, 40, 10), (5, 5, 5, 5)])
def test_a_candidate_without_an_area_is_left_out_and_costs_no_other(box: tuple[float, ...], portrait: Path) -> None:
    picture = load_image(portrait).pixels
    judge = load_judge(HAAR)

    judged = judge(picture, detections(np.concatenate([np.array([box], np.float32), FACE])))

    assert len(judged) == 1
    assert np.array_equal(judged.scores, judge(picture, detections(FACE)).scores)
    assert len(judge(picture, detections(np.array([box])))) == 0


def saved(**arrays: object) -> bytes:
    content = BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


@pytest.mark.parametrize(("version", "got"), [(None, "unknown"), (0, "unknown"), (99, "99")])
def test_a_judge_of_features_that_are_computed_in_another_way_is_refused(version: int | None, got: str) -> None:
    judge = load_judge(HAAR)
    stamp = {} if version is None else {"features": version}

    with pytest.raises(ValueError, match=f"fitted on features of version 1, got one of version {got}; fit it again"):
        Judge.from_bytes(saved(hidden=judge.hidden, score=judge.score, move=judge.move, about="", **stamp))


def test_a_judge_with_damaged_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = load_judge(HAAR)

    with pytest.raises(ValueError, match="expected a judge of finite float32 numbers"):
        Judge(judge.hidden * np.float32(np.nan), judge.score, judge.move, "")

    def fails(*_arguments: object, **_options: object) -> None:
        raise zlib.error("Error -3 while decompressing data")

    content = judge.to_bytes()
    monkeypatch.setattr(np, "load", fails)
    with pytest.raises(ValueError, match="expected a fitted judge: Error -3"):
        Judge.from_bytes(content)


def test_a_package_whose_judge_does_not_fit_says_what_to_update() -> None:
    with pytest.raises(PluginError, match=r"maskcheck/judge\.npz cannot be used: .*update maskcheck and the plugin"):
        load_judge("maskcheck")


# --- Pictures of any shape


@pytest.mark.parametrize("tall", [True, False])
def test_a_face_in_a_picture_beyond_what_opencv_warps_looks_as_elsewhere(tall: bool, portrait: Path) -> None:
    picture = load_image(portrait).pixels[:512]
    strip = np.zeros((34_000, 512, 3) if tall else (512, 34_000, 3), np.uint8)
    offset = (0, 33_400) if tall else (33_400, 0)
    strip[offset[1] : offset[1] + 512, offset[0] : offset[0] + 512] = picture

    here = appearance_features(picture, detections(FACE))
    there = appearance_features(strip, detections(FACE).mapped(offset=offset))

    assert np.linalg.norm(here - there) < 0.05 * np.linalg.norm(here)


def test_a_box_as_long_as_such_a_picture_is_described() -> None:
    strip = np.zeros((40, 40_000, 3), np.uint8)

    assert np.isfinite(appearance_features(strip, detections(np.array([[0, 0, 40_000, 40]])))).all()
    assert np.isfinite(appearance_features(strip, detections(np.array([[-90, -90, -50, -50]])))).all()


@pytest.mark.parametrize("detector", [HaarDetector("fast"), PlainHaarDetector(), PlainHaarDetector(upscale=8)])
@pytest.mark.parametrize(("height", "width"), [(1, 10_000_000), (10_000_000, 1)])
def test_a_strip_of_any_length_has_no_face(detector: HaarDetector | PlainHaarDetector, height: int, width: int) -> None:
    assert len(detector.detect(np.zeros((height, width, 3), np.uint8))) == 0


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(1, 5_000_000, 1.0), (5_000_000, 1, 1.0), (1, 1, 8.0), (3000, 3000, 8.0), (33, 200_000, 1.0), (1000, 1000, 1.0)],
)
def test_the_input_of_a_network_is_bounded_after_rounding(height: int, width: int, scale: float) -> None:
    rows, columns = resize_for_network(
        np.zeros((height, width, 3), np.uint8), scale, multiple=32, largest=1_000_000
    ).shape[:2]

    assert rows % 32 == columns % 32 == 0
    assert 0 < rows * columns <= 1_000_000


def test_a_picture_within_the_bound_is_rounded_up() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)

    assert resize_for_network(picture, 1, multiple=32, largest=1_000_000).shape == (128, 224, 3)


def test_a_scale_that_is_asked_for_is_bounded_too() -> None:
    limits = Scales((8.0,), enlarged=6_000_000, largest=6_000_000)

    assert limits.of(100, 100) == [8]
    assert limits.of(2000, 2000) == [pytest.approx((6 / 4) ** 0.5)]


# --- Parts of one picture


def test_what_found_nothing_takes_no_landmarks_from_the_others() -> None:
    faces = Detections(FACE, np.ones(1, np.float32), np.ones((1, 5, 2), np.float32))
    other = Detections(FACE, np.ones(1, np.float32), np.ones((1, 3, 2), np.float32))
    none = Detections(FACE[:0], np.ones(0, np.float32), np.ones((0, 5, 2), np.float32))

    both = concatenate([Detections.empty(), faces, Detections.empty()])

    assert both.landmarks is not None
    assert both.landmarks.shape == (1, 5, 2)
    nothing = concatenate([Detections.empty(), none])
    assert nothing.landmarks is not None
    assert nothing.landmarks.shape == (0, 5, 2)
    assert concatenate([faces, other]).landmarks is None


class ShyDetector:
    """Finds bright squares; of what touches an edge, all but the last fifth, as a network does with half a face."""

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        _, _, patches, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 100).astype(np.uint8))
        x, y, width, height, _ = patches[1:].T.astype(np.float32)
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        inset = 0.2 * np.stack([width, height, width, height], axis=1) * [1, 1, -1, -1]
        touches = np.stack([x <= 0, y <= 0, x + width >= image.shape[1], y + height >= image.shape[0]], axis=1)
        return detections(np.where(touches, boxes + inset, boxes)[np.minimum(width, height) >= 16], 0.9)


@pytest.mark.parametrize("left", range(60, 480, 20))
def test_a_face_of_which_a_slice_sees_a_part_short_of_its_edge_is_one_face(left: int) -> None:
    picture = np.zeros((300, 700, 3), np.uint8)
    picture[100:160, left : left + 60] = 255

    faces = TiledDetector(ShyDetector(), 256).detect(picture)

    assert len(faces) == 1
    assert overlap(faces.boxes, np.array([[left, 100, left + 60, 160]], np.float32))[0, 0] > 0.9


@pytest.mark.parametrize("left", range(60, 480, 20))
def test_neighbouring_faces_near_the_edge_of_a_slice_all_stay(left: int) -> None:
    picture = np.zeros((300, 700, 3), np.uint8)
    for number in range(3):
        picture[100:140, left + 44 * number : left + 44 * number + 40] = 255

    assert len(TiledDetector(ShyDetector(), 256).detect(picture)) == 3
