from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.slices import Slice, Traits, cut_slices

SKIN, HAIR = (130, 170, 220), (30, 40, 60)  # BGR


def face(cloth: tuple[int, int, int] = (245, 245, 245), side: int = 96) -> NDArray[np.uint8]:
    """A drawn face with a mask, BGR."""
    picture = np.full((96, 96, 3), HAIR, np.uint8)
    cv2.ellipse(picture, (48, 48), (36, 46), 0, 0, 360, SKIN, -1)
    cv2.rectangle(picture, (16, 48), (80, 88), cloth, -1)
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def sample(side: float = 96, label: str = "with_mask", dataset: str = "crowd") -> Sample:
    return Sample(Path("a.png"), (0, 0, side, side), label, dataset, "a", whole=False)


def names(slices: list[Slice], kind: str) -> dict[str, int]:
    return {part.name: int(part.members.sum()) for part in slices if part.kind == kind}


@pytest.mark.parametrize(
    ("side", "name"),
    [
        (7.9, "< 8 px"),
        (8, "8 to 12 px"),
        (12, "12 to 24 px"),
        (47.5, "24 to 48 px"),
        (48, "48 to 96 px"),
        (96, ">= 96 px"),
    ],
)
def test_a_face_is_in_the_slice_of_its_shorter_side(side: float, name: str) -> None:
    assert names(cut_slices([sample(side)], [Traits(None, 50, "unclear")]), "face size") == {name: 1}


@pytest.mark.parametrize(
    ("cloth", "colour"),
    [
        ((245, 245, 245), "white"),
        ((30, 28, 27), "black"),
        ((225, 190, 140), "blue"),
        ((120, 40, 20), "blue"),
        ((60, 60, 200), "other"),
        ((80, 180, 90), "other"),
        ((125, 125, 125), "other"),
    ],
)
def test_the_colour_of_a_mask_is_recognised(cloth: tuple[int, int, int], colour: str) -> None:
    assert Traits.measure(face(cloth), sample()).mask_colour == colour


def test_the_colour_of_a_patterned_mask_is_unclear() -> None:
    picture = face()
    picture[48:88:8, 16:80] = 0
    picture[52:88:8, 16:80] = (0, 0, 255)

    assert Traits.measure(picture, sample()).mask_colour == "unclear"


def test_the_mask_colour_of_a_tiny_face_is_unclear() -> None:
    assert Traits.measure(face(side=20), sample(20)).mask_colour == "unclear"


def test_a_blurred_face_has_less_blur_variance_than_a_sharp_one() -> None:
    sharp = Traits.measure(face(), sample()).blur
    blurred = Traits.measure(np.asarray(cv2.GaussianBlur(face(), (0, 0), 6), np.uint8), sample()).blur

    assert sharp is not None
    assert blurred is not None
    assert blurred < sharp / 5


def test_blur_does_not_depend_on_how_large_a_sharp_face_is() -> None:
    small, large = Traits.measure(face(side=48), sample(48)).blur, Traits.measure(face(), sample()).blur

    assert small == pytest.approx(large, rel=0.1)


def test_blur_is_not_measured_on_a_face_that_is_too_small() -> None:
    assert Traits.measure(face(side=40), sample(40)).blur is None


def test_slices_hold_the_faces_that_their_names_say() -> None:
    samples = [sample(10), sample(30), sample(30, "without_mask", "portraits")]
    traits = [Traits(None, 50, "unclear"), Traits(None, 100, "blue"), Traits(2000, 200, "blue")]

    slices = cut_slices(samples, traits)

    assert names(slices, "data set") == {"crowd": 2, "portraits": 1}
    assert names(slices, "data set, 24 px or more") == {"crowd": 1, "portraits": 1}
    assert names(slices, "label") == {"with_mask": 2, "without_mask": 1}
    assert names(slices, "face size") == {"8 to 12 px": 1, "24 to 48 px": 2}
    assert names(slices, "blur") == {"sharp": 1, "unknown (< 48 px)": 2}
    assert names(slices, "brightness") == {"dark": 1, "medium": 1, "bright": 1}
    # A bare face has no mask.
    assert names(slices, "mask colour") == {"blue": 1, "unclear": 1}
