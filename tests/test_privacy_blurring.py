"""Blurred faces: nobody finds them, nothing brings them back, and the rest of the picture stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import MaskPipeline, load_image
from maskcheck.privacy import blur_faces
from maskcheck.results import Face

Picture = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def changed(before: Picture, after: Picture) -> NDArray[np.bool_]:
    return np.asarray((before != after).any(axis=2))


@pytest.fixture(scope="module")
def pipeline() -> MaskPipeline:
    return MaskPipeline()


def overlap(face: Face, box: NDArray[np.float32]) -> float:
    """Intersection over union."""
    x1, y1, x2, y2 = face.box
    width, height = min(x2, box[2]) - max(x1, box[0]), min(y2, box[3]) - max(y1, box[1])
    shared = max(0.0, width) * max(0.0, height)
    return float(shared / ((x2 - x1) * (y2 - y1) + (box[2] - box[0]) * (box[3] - box[1]) - shared))


@pytest.mark.parametrize("name", ["group.jpg", "astronaut.jpg", "grace_hopper.jpg", "grace_hopper_blue_mask.jpg"])
def test_the_detector_finds_no_face_where_one_was_blurred(pipeline: MaskPipeline, examples: Path, name: str) -> None:
    pixels = load_image(examples / name).pixels
    boxes = pipeline(pixels).boxes
    assert len(boxes)

    found = pipeline(blur_faces(pixels, boxes))

    assert not [face for face in found for box in boxes if overlap(face, box) > 0.2]


@pytest.mark.parametrize("size", [12, 40, 200, 900], ids=lambda size: f"{size}px")
@pytest.mark.parametrize("place", [0.5, 0.0, 1.0], ids=["inside", "upper left corner", "lower right corner"])
def test_nothing_of_a_face_and_the_margin_around_it_stays(size: int, place: float) -> None:
    picture = noise(1080, 1920)
    x, y = place * 1920 - size / 2, place * 1080 - size / 2

    blurred = blur_faces(picture, [(x, y, x + size, y + size)])

    grown = size * 0.2
    area = np.s_[
        max(round(y - grown), 0) : round(y + size + grown) + 1, max(round(x - grown), 0) : round(x + size + grown) + 1
    ]
    assert changed(picture, blurred)[area].mean() > 0.999  # a pixel may have had the very colour of the average
    far = np.ones(picture.shape[:2], bool)
    grown = 0.3 * size + 6
    far[
        max(round(y - grown), 0) : round(y + size + grown) + 1, max(round(x - grown), 0) : round(x + size + grown) + 1
    ] = False
    assert not changed(picture, blurred)[far].any()


def test_only_nine_averages_of_a_face_are_left() -> None:
    # The blurred area is 240 x 240 pixels: 3 x 3 cells of 80. What is moved about inside a cell changes nothing.
    box = (180.0, 180.0, 340.0, 340.0)
    picture = noise(520, 520)
    cells = picture[140:380, 140:380].reshape(3, 80, 3, 80, 3).swapaxes(1, 2).reshape(9, 6400, 3)
    shuffled = np.random.default_rng(1).permuted(cells, axis=1)
    other = picture.copy()
    other[140:380, 140:380] = shuffled.reshape(3, 3, 80, 80, 3).swapaxes(1, 2).reshape(240, 240, 3)
    assert changed(picture, other).mean() > 0.2

    np.testing.assert_array_equal(blur_faces(picture, [box]), blur_faces(other, [box]))


def test_a_tiny_face_and_one_that_the_edge_cuts_are_blurred_as_coarsely_as_others() -> None:
    def levels(blurred: Picture) -> int:
        """Steps along the middle row, by which averages can be told apart."""
        return int((np.abs(np.diff(blurred[..., 0].astype(int), axis=1)).max(axis=0) > 0).sum())

    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 255
    for box in ((90.0, 90.0, 106.0, 106.0), (-150.0, 20.0, 50.0, 180.0)):
        x1, y1, x2, y2 = (round(edge) for edge in box)
        face = blur_faces(stripes, [box])[y1:y2, max(x1, 0) : x2]
        assert np.ptp(face.astype(int)) < 40  # no stripe is left
        assert levels(face) < face.shape[1]


def test_a_picture_stays_as_it_is_and_can_be_changed_in_place_or_into_another_array() -> None:
    picture = noise(60, 80)
    kept = picture.copy()
    boxes = np.array([[10, 10, 30, 30], [50, 20, 70, 50]], np.float32)

    fresh = blur_faces(picture, boxes)
    other = np.empty_like(picture)

    assert blur_faces(picture, boxes, out=other) is other
    np.testing.assert_array_equal(picture, kept)
    assert blur_faces(picture, boxes, out=picture) is picture
    np.testing.assert_array_equal(fresh, other)
    np.testing.assert_array_equal(fresh, picture)


@pytest.mark.parametrize("view", [np.s_[::-1, ::-1], np.s_[::2, ::2], np.s_[5:, 7:]], ids=["turned", "halved", "cut"])
def test_views_of_an_array_are_pictures_too(view: tuple[slice, slice]) -> None:
    picture = noise(120, 160)[view]

    blurred = blur_faces(picture, [(20, 20, 50, 50)])

    np.testing.assert_array_equal(blurred, blur_faces(np.ascontiguousarray(picture), [(20, 20, 50, 50)]))


def test_faces_outside_of_the_picture_and_none_change_nothing() -> None:
    picture = noise(60, 80)

    for boxes in ([], np.empty((0, 4)), [(-90, -90, -50, -50)], [(500, 10, 600, 90)]):
        np.testing.assert_array_equal(blur_faces(picture, boxes), picture)


def test_a_box_of_no_size_is_blurred_and_one_of_any_size_too() -> None:
    picture = noise(60, 80)

    assert changed(picture, blur_faces(picture, [(40, 30, 40, 30)]))[28:32, 38:42].all()
    assert changed(picture, blur_faces(picture, [(-1e9, -1e9, 1e9, 1e9)])).all()
    assert changed(picture, blur_faces(picture, [(50, 40, 30, 20)]))[20:40, 30:50].all()  # corners the wrong way round
    assert blur_faces(picture[:1, :1], [(0, 0, 1, 1)]).shape == (1, 1, 3)


@pytest.mark.parametrize("boxes", [[(1, 2, 3)], [1, 2, 3, 4], [(0, 0, float("nan"), 9)]])
def test_other_boxes_are_refused(boxes: list[object]) -> None:
    with pytest.raises(ValueError, match=r"boxes: expected finite numbers of shape \(N, 4\)"):
        blur_faces(noise(20, 20), boxes)  # type: ignore[arg-type]


def test_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image: expected uint8 of shape \(H, W, 3\), got float64 of \(4, 4, 3\)"):
        blur_faces(np.zeros((4, 4, 3)), [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"out: expected uint8 of shape \(4, 4, 3\)"):
        blur_faces(noise(4, 4), [], out=noise(4, 5))
