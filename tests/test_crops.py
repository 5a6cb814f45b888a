"""``crop_face``: the square around a box, at the edge of the picture too, in bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.pictures.crops import crop_face

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    """A BGR picture of 60 x 40 pixels."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def cut(image: NDArray[np.uint8], box: tuple[float, float, float, float], **options: Any) -> NDArray[np.uint8]:
    return crop_face(image, np.array(box, np.float64), **{"margin": 0.0} | options)


def region(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """A square of the picture, as RGB; outside, the edge pixels are repeated."""
    around = 100
    endless = np.pad(image, ((around, around), (around, around), (0, 0)), mode="edge")
    return endless[top + around : top + around + side, left + around : left + around + side, ::-1]


# A crop as large as its square is not scaled, so it can be compared pixel by pixel.


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        pytest.param((10, 10, 30, 30), 10, 10, id="square"),
        pytest.param((15, 10, 25, 30), 10, 10, id="tall"),
        pytest.param((10, 15, 30, 25), 10, 10, id="wide"),
        pytest.param((19, 10, 20, 30), 10, 10, id="a line"),
    ],
)
def test_a_crop_is_the_square_around_the_box_and_not_distorted(
    box: tuple[float, float, float, float], left: int, top: int, noise: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(cut(noise, box, size=20), region(noise, left, top, 20), strict=True)


@pytest.mark.parametrize(("margin", "size"), [(0.0, 10), (0.1, 12), (0.5, 20)])
def test_the_margin_is_a_share_of_the_longer_side_added_on_each_side(
    margin: float, size: int, noise: NDArray[np.uint8]
) -> None:
    crop = cut(noise, (27, 15, 33, 25), size=size, margin=margin)

    np.testing.assert_array_equal(crop, region(noise, 30 - size // 2, 20 - size // 2, size), strict=True)


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        pytest.param((0, 15, 4, 25), -3, 15, id="left"),
        pytest.param((56, 15, 60, 25), 53, 15, id="right"),
        pytest.param((15, 0, 25, 4), 15, -3, id="top"),
        pytest.param((15, 36, 25, 40), 15, 33, id="bottom"),
        pytest.param((-5, -5, 5, 5), -5, -5, id="top left corner"),
        pytest.param((55, 35, 65, 45), 55, 35, id="bottom right corner"),
    ],
)
def test_outside_the_picture_its_edge_pixels_are_repeated(
    box: tuple[float, float, float, float], left: int, top: int, noise: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(cut(noise, box, size=10), region(noise, left, top, 10), strict=True)


def test_a_box_larger_than_the_picture_is_cut_with_edges_all_around(noise: NDArray[np.uint8]) -> None:
    crop = cut(noise, (-20, -30, 80, 70), size=100)

    np.testing.assert_array_equal(crop, region(noise, -20, -30, 100), strict=True)


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        pytest.param((59.8, 0, 99.8, 40), 60, 0, id="right"),
        pytest.param((10, 39.8, 50, 79.8), 10, 40, id="bottom"),
        pytest.param((-39.8, 0, 0.2, 40), -40, 0, id="left"),
        pytest.param((10, -39.8, 50, 0.2), 10, -40, id="top"),
    ],
)
def test_a_box_that_barely_overlaps_the_picture_gives_its_edge(
    box: tuple[float, float, float, float], left: int, top: int, noise: NDArray[np.uint8]
) -> None:
    np.testing.assert_array_equal(cut(noise, box, size=40), region(noise, left, top, 40), strict=True)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (59, 39), (17, 23)])
def test_a_box_of_one_pixel_gives_that_pixel(x: int, y: int, noise: NDArray[np.uint8]) -> None:
    crop = cut(noise, (x, y, x + 1, y + 1), size=8)

    np.testing.assert_array_equal(crop, np.full((8, 8, 3), noise[y, x, ::-1]), strict=True)


@pytest.mark.parametrize("box", [(30, 20, 30.2, 20.3), (59.9, 39.9, 60, 40), (0, 0, 0.1, 0.1)])
def test_a_box_smaller_than_a_pixel_is_cut(box: tuple[float, float, float, float], noise: NDArray[np.uint8]) -> None:
    x, y = int(box[0]), int(box[1])

    np.testing.assert_array_equal(cut(noise, box, size=8), np.full((8, 8, 3), noise[y, x, ::-1]), strict=True)


@pytest.mark.parametrize(("bgr", "rgb"), [((255, 0, 0), (0, 0, 255)), ((10, 20, 30), (30, 20, 10))])
def test_channels_come_as_rgb(bgr: tuple[int, int, int], rgb: tuple[int, int, int]) -> None:
    crop = cut(np.full((HEIGHT, WIDTH, 3), bgr, np.uint8), (10, 10, 30, 30), size=16)

    np.testing.assert_array_equal(crop, np.full((16, 16, 3), rgb, np.uint8), strict=True)


@pytest.mark.parametrize("size", [1, 8, 20, 299])
@pytest.mark.parametrize("box", [(10, 10, 30, 30), (-10, 20, 3, 80), (0, 0, 60, 1)])
def test_a_crop_has_the_requested_size(
    size: int, box: tuple[float, float, float, float], noise: NDArray[np.uint8]
) -> None:
    crop = cut(noise, box, size=size, margin=0.2)

    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.c_contiguous


def test_shrinking_averages_so_that_fine_patterns_do_not_alias() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 1::4] = image[:, 2::4] = 255  # stripes

    crop = cut(image, (0, 0, 40, 40), size=10)

    np.testing.assert_allclose(crop, 127.5, atol=1)


def test_enlarging_keeps_positions() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, 2:] = 255

    crop = cut(image, (0, 0, 4, 4), size=40)

    assert (crop[:15, 25:] == 255).all()
    assert not crop[:, :15].any()
    assert not crop[25:].any()


def test_the_precision_of_the_box_does_not_matter(noise: NDArray[np.uint8]) -> None:
    box = [10, 5, 31, 30]

    single = crop_face(noise, np.array(box, np.float32), size=16, margin=0.2)

    np.testing.assert_array_equal(single, crop_face(noise, np.array(box, np.float64), size=16, margin=0.2))


@pytest.mark.parametrize("box", [(10, 10, 30, 30), (-10, -10, 10, 10)])
def test_picture_and_crop_do_not_change_each_other(
    box: tuple[float, float, float, float], noise: NDArray[np.uint8]
) -> None:
    before = noise.copy()

    crop = cut(noise, box, size=20)
    crop[:] = 0

    np.testing.assert_array_equal(noise, before)


def test_a_view_into_a_larger_picture_can_be_cut(noise: NDArray[np.uint8]) -> None:
    view = noise[::2, ::2]

    np.testing.assert_array_equal(cut(view, (5, 5, 15, 15), size=10), region(view, 5, 5, 10))


@pytest.mark.parametrize("size", [10, 20, 30])
def test_a_crop_can_be_written_into_a_batch(size: int, noise: NDArray[np.uint8]) -> None:
    batch = np.zeros((3, size, size, 3), np.uint8)

    given = cut(noise, (10, 10, 30, 30), size=size, out=batch[1])

    assert np.shares_memory(given, batch)
    np.testing.assert_array_equal(batch[1], cut(noise, (10, 10, 30, 30), size=size))
    assert not batch[[0, 2]].any()


# A large square is shrunk before it is padded, so that a long box does not take gigabytes.

LONG = 3600


@pytest.mark.parametrize("size", [64, 299])
@pytest.mark.parametrize("box", [(0, 0, LONG, 300), (50, 100, 3590, 150)])
def test_the_crop_of_a_long_box_equals_the_full_square(size: int, box: tuple[float, float, float, float]) -> None:
    coarse = np.random.default_rng(1).integers(0, 256, (8, LONG // 50, 3), np.uint8)
    image = np.asarray(cv2.resize(coarse, (LONG, 300), interpolation=cv2.INTER_CUBIC), np.uint8)
    x1, y1, x2, y2 = box
    side = round(max(x2 - x1, y2 - y1) * 1.2)
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    rows = np.clip(np.arange(top, top + side), 0, 299)
    columns = np.clip(np.arange(left, left + side), 0, LONG - 1)
    expected = cv2.resize(image[rows][:, columns], (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]

    crop = cut(image, box, size=size, margin=0.1)

    np.testing.assert_allclose(crop.astype(int), expected, atol=8)


@pytest.mark.parametrize(
    ("shape", "box"),
    [((100, 9000), (0, 0, 9000, 100)), ((9000, 100), (99.5, 0, 100, 9000)), ((2, 40_000), (0, 0, 40_000, 2))],
)
def test_the_memory_of_a_crop_does_not_grow_with_the_box(
    shape: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    image = np.full((*shape, 3), 77, np.uint8)

    tracemalloc.start()
    crop = cut(image, box, size=128, margin=0.1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    np.testing.assert_array_equal(crop, np.full((128, 128, 3), 77, np.uint8), strict=True)
    assert peak < 32e6  # the whole square has 290 MB and more
