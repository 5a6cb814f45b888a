"""What is drawn on the frames of a video: boxes, and the number of each track."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from maskcheck import Face
from maskcheck.pictures.drawing import draw_faces
from maskcheck.pictures.drawing.faces import caption_of, colour_of

IMAGE = np.zeros((200, 300, 3), np.uint8)
FACE = Face((50, 80, 130, 180), "with_mask", 0.9, {"with_mask": 0.9})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are drawn."""
    texts: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda *arguments: texts.append(arguments[1]))
    return texts


def test_a_tracked_face_is_drawn_with_its_number(written: list[str]) -> None:
    draw_faces(IMAGE, [FACE, replace(FACE, track_id=7), replace(FACE, track_id=0, confidence=0.2)], min_confidence=0.5)

    assert sorted(written) == ["#0 unsure 20%", "#7 mask 90%", "mask 90%"]


def test_a_predicted_face_looks_as_one_that_was_seen() -> None:
    """Otherwise boxes flicker where the detector runs on some frames only."""
    seen, predicted = (draw_faces(IMAGE, [replace(FACE, track_id=1, predicted=value)]) for value in (False, True))

    assert (seen == predicted).all()


def test_labels_have_the_same_name_and_colour_everywhere() -> None:
    picture = draw_faces(IMAGE, [FACE])

    assert tuple(picture[179, 90]) == colour_of("with_mask")
    assert caption_of("without_mask") == "no mask"
    assert caption_of("face_shield") == "face shield"
    assert (
        len({colour_of(label) for label in ("with_mask", "without_mask", "mask_worn_incorrectly", "x", "unsure")}) == 5
    )
