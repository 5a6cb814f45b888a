"""Painted masks cover what their label means, on every face; objects that hide a face leave its label visible."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck_export.augmentation.occlusion import occlude
from maskcheck_export.augmentation.painting import Way, in_view, paint_mask
from maskcheck_export.data.portraits import find_face

WAYS: tuple[Way, ...] = get_args(Way)
FACE = np.array([60, 40, 160, 160], np.float32)  # 100 x 120 pixels
SKIN = (120, 150, 205)
NOSE_TIP, NOSTRILS, MOUTH, CHIN = 0.60, 0.66, 0.80, 0.99
"""Heights in a face, in shares of its box."""


def flat_face(height: int = 240, width: int = 220) -> NDArray[np.uint8]:
    return np.full((height, width, 3), SKIN, np.uint8)


def painted_share(way: Way, seed: int, height: float) -> float:
    """Share of a short horizontal line in the middle of a flat face that a mask covers: more than its faint shadow."""
    painted = paint_mask(flat_face(), FACE, way, np.random.default_rng(seed))
    changed = np.abs(painted.astype(int) - SKIN).max(axis=2) > 8
    row = round(float(FACE[1] + height * (FACE[3] - FACE[1])))
    return float(changed[row, 105:116].mean())


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_is_the_same_for_the_same_seed_and_another_for_another(way: Way) -> None:
    one, same, other = (paint_mask(flat_face(), FACE, way, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("way", WAYS)
def test_painting_leaves_the_picture_it_was_given_as_it_is(way: Way) -> None:
    picture = flat_face()
    painted = paint_mask(picture, FACE, way, np.random.default_rng(0))
    assert (picture == SKIN).all()
    assert painted.shape == picture.shape
    assert painted.dtype == np.uint8


@pytest.mark.parametrize("way", WAYS)
def test_nothing_above_the_eyes_or_far_from_the_face_is_painted(way: Way) -> None:
    for seed in range(40):
        changed = (paint_mask(flat_face(), FACE, way, np.random.default_rng(seed)) != SKIN).any(axis=2)
        assert changed.any()
        assert not changed[:76].any()
        assert not changed[:, :44].any()
        assert not changed[:, 176:].any()


def test_a_worn_mask_covers_nose_and_mouth() -> None:
    for seed in range(150):
        assert painted_share("worn", seed, 0.5) > 0.9
        assert painted_share("worn", seed, NOSE_TIP) > 0.9
        assert painted_share("worn", seed, MOUTH) > 0.9


def test_a_mask_under_the_nose_covers_the_mouth_and_never_the_nostrils() -> None:
    for seed in range(150):
        assert painted_share("nose_out", seed, NOSE_TIP) == 0
        assert painted_share("nose_out", seed, NOSTRILS) == 0
        assert painted_share("nose_out", seed, MOUTH) > 0.9
        assert painted_share("nose_out", seed, 0.95) > 0.9


def test_a_mask_on_the_chin_leaves_nose_and_mouth_free() -> None:
    for seed in range(150):
        assert painted_share("chin", seed, NOSTRILS) == 0
        assert painted_share("chin", seed, MOUTH) == 0
        assert painted_share("chin", seed, CHIN) > 0.9


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "face",
    [
        (100, 100, 106, 106),
        (100, 100, 101, 101),
        (100, 100, 100, 100),
        (-60, -80, 40, 40),
        (180, 180, 280, 300),
        (-300, -300, 500, 600),
        (500, 500, 600, 620),
        (-200, -200, -100, -80),
    ],
    ids=["6 px", "1 px", "empty", "top left", "bottom right", "larger than the picture", "beyond", "before"],
)
def test_faces_of_any_size_and_partly_outside_the_picture_are_painted(way: Way, face: tuple[int, ...]) -> None:
    for seed in range(5):
        picture = flat_face()
        assert paint_mask(picture, np.array(face, float), way, np.random.default_rng(seed)).shape == picture.shape


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_is_seen_on_a_face_of_six_pixels(way: Way) -> None:
    face = np.array([100, 100, 106, 107], float)
    for seed in range(20):
        painted = paint_mask(flat_face(), face, way, np.random.default_rng(seed))
        assert np.abs(painted.astype(int) - SKIN).max() > 20


def test_masks_are_darker_on_a_face_in_the_dark() -> None:
    bright, dark = (np.full((240, 220, 3), value, np.uint8) for value in (170, 40))
    inside = np.s_[110:150, 90:130]
    for seed in range(20):
        lit, dim = (paint_mask(face, FACE, "worn", np.random.default_rng(seed))[inside] for face in (bright, dark))
        assert dim.mean() < lit.mean()


def test_masks_are_black_and_white_and_coloured_and_patterned() -> None:
    inside = np.s_[120:135, 95:125]
    masks = [paint_mask(flat_face(), FACE, "worn", np.random.default_rng(seed))[inside] for seed in range(150)]
    brightness = np.array([mask.mean() for mask in masks])
    colourful = np.array([np.ptp(mask.mean(axis=(0, 1))) for mask in masks])
    contrast = np.array([mask.std(axis=(0, 1)).max() for mask in masks])
    assert (brightness < 50).mean() > 0.1
    assert (brightness > 170).mean() > 0.1
    assert (colourful > 50).mean() > 0.2
    assert (contrast > 30).mean() > 0.1


def test_a_mask_is_in_view_only_where_the_picture_reaches_below_its_upper_edge() -> None:
    height = 100
    to_the_chin, to_the_neck = (np.array([0, 0, 80, side], float) for side in (100, 80))
    assert in_view("worn", to_the_chin, height)
    assert in_view("nose_out", to_the_chin, height)
    assert not in_view("chin", to_the_chin, height)
    assert in_view("chin", to_the_neck, height)


@pytest.mark.parametrize("way", WAYS)
def test_a_mask_that_is_in_view_changes_a_good_part_of_the_face(way: Way) -> None:
    height = next(h for h in range(40, 240) if in_view(way, FACE, h))
    for seed in range(40):
        painted = paint_mask(flat_face(height), FACE, way, np.random.default_rng(seed))
        changed = (np.abs(painted.astype(int) - SKIN).max(axis=2) > 1).sum()
        assert changed > 0.04 * 100 * 120


def five_points(turn: float = 0.0, tilt: float = 0.0) -> NDArray[np.float32]:
    """Eyes, nose and mouth of a face of 100 x 132 pixels about (150, 150): moved by a turn, then tilted (radians)."""
    points = np.array([[-24, -10], [24, -10], [0, 15], [-19, 34], [19, 34]], float)
    points[:, 0] = points[:, 0] * np.cos(turn) + np.array([44, 44, 69, 46, 46]) * np.sin(turn)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return np.asarray(points @ rotation.T + 150, np.float32)


def covered(picture: NDArray[np.uint8], point: NDArray[np.floating]) -> bool:
    x, y = np.rint(point).astype(int)
    return bool(np.abs(picture[y - 1 : y + 2, x - 1 : x + 2].astype(int) - SKIN).max(axis=2).mean() > 8)


@pytest.mark.parametrize("turn", [-0.6, 0.0, 0.6])
@pytest.mark.parametrize("tilt", [-0.5, 0.0, 0.5])
def test_a_mask_follows_the_points_of_a_turned_and_tilted_face(turn: float, tilt: float) -> None:
    points = five_points(turn, tilt)
    eyes, nose, mouth = points[:2], points[2], points[3:].mean(axis=0)
    chin = mouth + 0.7 * (mouth - eyes.mean(axis=0))
    box = np.array([100, 85, 200, 217], np.float32)  # upright and wrong: the points count
    for seed in range(30):
        worn, nose_out, on_chin = (
            paint_mask(flat_face(300, 300), box, way, np.random.default_rng(seed), points) for way in WAYS
        )
        assert covered(worn, nose)
        assert covered(worn, mouth)
        assert not any(covered(worn, eye) for eye in eyes)
        assert not covered(nose_out, nose)
        assert covered(nose_out, mouth)
        assert not covered(on_chin, nose)
        assert not covered(on_chin, mouth)
        assert covered(on_chin, chin)


def test_points_alone_are_enough_and_points_that_are_no_face_are_left_out() -> None:
    points = five_points()
    assert (paint_mask(flat_face(300, 300), None, "worn", np.random.default_rng(0), points) != SKIN).any()
    assert (paint_mask(flat_face(300, 300), None, "worn", np.random.default_rng(0)) == SKIN).all()
    in_one_place = np.full((5, 2), 110, np.float32)
    with_box = paint_mask(flat_face(), FACE, "worn", np.random.default_rng(0))
    assert np.array_equal(paint_mask(flat_face(), FACE, "worn", np.random.default_rng(0), in_one_place), with_box)


def test_points_say_whether_a_mask_is_in_view() -> None:
    points = five_points()
    assert in_view("nose_out", None, 200, points)
    assert not in_view("chin", None, 195, points)
    assert not in_view("worn", None, 200)


def test_a_picture_without_a_face_has_no_face() -> None:
    assert find_face(flat_face()) is None
    assert find_face(np.zeros((1, 300, 3), np.uint8)) is None
    assert find_face(np.zeros((1, 1, 3), np.uint8)) is None


def drawn_face(side: int) -> NDArray[np.uint8]:
    """A picture that the cascade takes for a face: head, brows, eyes, nose and mouth."""
    picture = np.full((200, 200, 3), 90, np.uint8)

    def ellipse(x: int, y: int, half_width: int, half_height: int, colour: tuple[int, int, int]) -> None:
        cv2.ellipse(picture, (x, y), (half_width, half_height), 0, 0, 360, colour, -1, cv2.LINE_AA)

    ellipse(100, 105, 62, 82, (140, 170, 215))
    for x in (75, 125):
        ellipse(x, 76, 17, 4, (40, 50, 70))
        ellipse(x, 90, 15, 8, (95, 115, 150))
        ellipse(x, 90, 7, 7, (20, 20, 20))
    ellipse(100, 105, 8, 22, (165, 195, 235))
    ellipse(100, 128, 13, 4, (80, 100, 140))
    ellipse(100, 150, 25, 7, (60, 60, 130))
    smooth = cv2.GaussianBlur(picture, (0, 0), 3)
    return np.asarray(cv2.resize(smooth, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("side", [80, 200, 800])
def test_a_face_is_found_from_hairline_to_chin_at_every_size(side: int) -> None:
    face = find_face(drawn_face(side))
    assert face is not None
    x1, y1, x2, y2 = face * 200 / side
    assert x1 < 75 < 125 < x2
    assert y1 < 76
    assert 0.3 < (90 - y1) / (y2 - y1) < 0.5
    assert 0.65 < (150 - y1) / (y2 - y1) < 0.85


def test_faces_are_found_in_threads_as_without() -> None:
    pictures = [drawn_face(side) for side in (100, 150, 200, 250)] * 8
    with ThreadPoolExecutor(4) as threads:
        faces = list(threads.map(find_face, pictures))
    assert all(box is not None for box in faces)
    assert [np.asarray(box).tolist() for box in faces] == [
        np.asarray(find_face(picture)).tolist() for picture in pictures
    ]


@pytest.mark.parametrize("size", [75, 128])
def test_what_hides_a_face_is_of_bounded_size_and_nearly_always_seen(size: int) -> None:
    crop = np.full((size, size, 3), 128, np.uint8)
    shares = []
    for seed in range(300):
        hidden = occlude(crop, np.random.default_rng(seed))
        assert hidden.shape == crop.shape
        assert hidden.dtype == np.uint8
        shares.append((np.abs(hidden.astype(int) - 128).max(axis=2) > 12).mean())
    assert max(shares) < 0.3
    assert np.mean(np.array(shares) > 0.01) > 0.75
    assert (crop == 128).all()


def test_what_hides_a_face_leaves_most_of_mouth_and_nose() -> None:
    crop = np.full((100, 100, 3), 128, np.uint8)
    for seed in range(300):
        changed = np.abs(occlude(crop, np.random.default_rng(seed)).astype(int) - 128).max(axis=2) > 12
        assert changed[45:75, 35:65].mean() < 0.5


def test_what_hides_a_face_is_the_same_for_the_same_seed() -> None:
    crop = np.full((96, 96, 3), 128, np.uint8)
    one, same, other = (occlude(crop, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
