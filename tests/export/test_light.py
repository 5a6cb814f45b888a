"""Hard light and noise change a crop in the way that their names say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck_export.augmentation.light import add_noise, backlight, blur_by_motion, overexpose

Effect = Callable[[NDArray[np.uint8], Generator], NDArray[np.uint8]]
SIZE = 96


def drawn_crop() -> NDArray[np.uint8]:
    """A face of one colour before a grey wall, with a dark bar at the eyes."""
    crop = np.full((SIZE, SIZE, 3), 150, np.uint8)
    crop[20:80, 28:68] = (205, 150, 120)
    crop[36:42, 34:62] = 40
    return crop


def edges(crop: NDArray[np.uint8]) -> float:
    """The sum of all steps of brightness: a blur along a line spares the edges along it."""
    down, across = np.gradient(crop.astype(float), axis=(0, 1))
    return float((np.hypot(down, across) ** 2).sum())


@pytest.mark.parametrize("effect", [overexpose, backlight, blur_by_motion, add_noise])
def test_an_effect_is_the_same_for_the_same_seed_and_leaves_its_input(effect: Effect) -> None:
    crop = drawn_crop()
    one, same, other = (effect(crop, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(crop, drawn_crop())
    assert one.shape == crop.shape
    assert one.dtype == np.uint8


def test_strong_light_bleaches_the_face() -> None:
    for seed in range(40):
        lit = overexpose(drawn_crop(), np.random.default_rng(seed)).astype(int)
        assert (lit >= drawn_crop().astype(int) - 2).all()
    means = [overexpose(drawn_crop(), np.random.default_rng(seed))[50:70, 35:60].mean() for seed in range(40)]
    assert max(means) > 220


def test_light_from_behind_darkens_the_face_more_than_what_is_around_it() -> None:
    for seed in range(40):
        dark = backlight(drawn_crop(), np.random.default_rng(seed)).astype(float)
        assert dark[45:60, 40:56].mean() < drawn_crop()[45:60, 40:56].mean()
        assert dark[:6, :6].mean() > dark[45:60, 40:56].mean()


def test_motion_keeps_the_light_and_takes_the_edges() -> None:
    for seed in range(20):
        blurred = blur_by_motion(drawn_crop(), np.random.default_rng(seed))
        assert abs(float(blurred.mean()) - drawn_crop().mean()) < 2
        assert edges(blurred) < edges(drawn_crop())


def test_noise_leaves_the_form_of_the_face() -> None:
    for seed in range(20):
        noisy = add_noise(drawn_crop(), np.random.default_rng(seed)).astype(float)
        assert noisy[50:70, 35:60].std() > 0.5
        assert np.corrcoef(noisy.ravel(), drawn_crop().ravel())[0, 1] > 0.6
