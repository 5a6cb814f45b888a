"""Objects before a face that are no masks: they come in every kind, stay near the face, and spare what they must."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck_export.augmentation.crops import random_crop
from maskcheck_export.augmentation.objects import KINDS, Hidden, put_before
from maskcheck_export.data.pack import Region
from maskcheck_export.recipes.settings import Augmentation, Input

FACE = np.array([100, 80, 200, 212], np.float32)  # 100 x 132 pixels
SKIN = (120, 150, 205)
LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


def flat_face(height: int = 340, width: int = 300) -> NDArray[np.uint8]:
    return np.full((height, width, 3), SKIN, np.uint8)


def changed(painted: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(painted.astype(int) - SKIN).max(axis=2) > 12)


def around_mouth(picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return picture[round(80 + 0.7 * 132) : round(80 + 0.82 * 132), 132:168]


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_seen_and_leaves_the_picture_it_was_given_as_it_is(kind: str) -> None:
    picture = flat_face()
    for seed in range(10):
        painted = put_before(picture, FACE, np.random.default_rng(seed), kind=kind)
        assert (picture == SKIN).all()
        assert painted.shape == picture.shape
        assert painted.dtype == np.uint8
        assert 0.002 < changed(painted).mean() < 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_the_same_for_the_same_seed_and_another_for_another(kind: str) -> None:
    one, same, other = (put_before(flat_face(), FACE, np.random.default_rng(seed), kind=kind) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["hand over the mouth", "cup at the mouth", "fist at the mouth"])
def test_the_mouth_of_a_bare_face_may_be_hidden(kind: str) -> None:
    hidden = [
        around_mouth(changed(put_before(flat_face(), FACE, np.random.default_rng(seed), kind=kind))).mean()
        for seed in range(30)
    ]
    assert np.quantile(hidden, 0.75) > 0.5


@pytest.mark.parametrize("hides", ["chin", "beside"])
def test_a_mask_can_still_be_seen(hides: Hidden) -> None:
    """Most of the place between eyes and mouth stays as it was."""
    for seed in range(60):
        seen = changed(put_before(flat_face(), FACE, np.random.default_rng(seed), hides=hides))
        middle = seen[round(80 + 0.5 * 132) : round(80 + 0.85 * 132), 125:175]
        assert middle.mean() < 0.4


def test_what_is_beside_the_face_leaves_most_of_the_chin() -> None:
    for seed in range(60):
        seen = changed(put_before(flat_face(), FACE, np.random.default_rng(seed), hides="beside"))
        assert seen[round(80 + 0.85 * 132) : 80 + 132, 130:170].mean() < 0.5


@pytest.mark.parametrize(
    "face",
    [(100, 100, 106, 106), (100, 100, 100, 100), (-60, -80, 40, 40), (-300, -300, 500, 600), (900, 900, 960, 980)],
    ids=["6 px", "empty", "top left", "larger than the picture", "beyond"],
)
def test_faces_of_any_size_and_partly_outside_the_picture(face: tuple[int, ...]) -> None:
    for kind in KINDS:
        picture = flat_face(200, 180)
        painted = put_before(picture, np.array(face, float), np.random.default_rng(1), kind=kind)
        assert painted.shape == picture.shape


def test_without_a_face_nothing_is_put_anywhere() -> None:
    assert (put_before(flat_face(), None, np.random.default_rng(0)) == SKIN).all()


def test_what_lies_far_from_the_face_stays_as_it_is() -> None:
    small = np.array([140, 150, 160, 176], np.float32)
    for seed in range(60):
        seen = (put_before(flat_face(), small, np.random.default_rng(seed)) != SKIN).any(axis=2)
        assert not seen[:135].any()
        assert not seen[:, :120].any()
        assert not seen[:, 180:].any()


def test_a_hand_has_the_colour_of_the_face() -> None:
    for skin in ((40, 60, 90), (120, 150, 205)):
        face = np.full((340, 300, 3), skin, np.uint8)
        for seed in range(5):
            painted = put_before(face, FACE, np.random.default_rng(seed), kind="fist at the mouth")
            fist = painted[180:200, 140:160].reshape(-1, 3).mean(axis=0)
            assert np.abs(fist - skin).max() < 60


@pytest.mark.parametrize("label", LABELS)
def test_objects_hard_light_and_noise_keep_the_label(label: str) -> None:
    region = Region(flat_face(), FACE, FACE)
    everything = Augmentation(objects=1, overexposure=0.5, backlight=1, motion_blur=1, noise=1)
    for seed in range(20):
        crop = random_crop(
            region,
            label,
            whole=False,
            shape=Input(size=96),
            augmentation=everything,
            rng=np.random.default_rng(seed),
        )
        assert crop.label == label
        assert crop.pixels.shape == (96, 96, 3)
