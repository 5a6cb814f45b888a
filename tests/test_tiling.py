from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections
from maskcheck.detectors.guard import describe_detector, detector_labels, run_detector
from maskcheck.detectors.tiling import TiledDetector
from maskcheck.stages import StageDescription


class SquareDetector:
    """Finds bright squares from 8 to 200 pixels, whole or cut; keeps the shapes of what it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        import cv2

        assert image.flags.c_contiguous
        self.shapes.append(image.shape)
        _, _, patches, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 100).astype(np.uint8))
        x, y, width, height, _ = patches[1:].T.astype(np.float32)
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        sides = np.minimum(width, height)
        detections = (sides >= 8) & (sides <= 200)
        return Detections(boxes, np.full(len(boxes), 0.9, np.float32), boxes.reshape(-1, 2, 2))[detections]


def picture(height: int, width: int, squares: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    canvas = np.zeros((height, width, 3), np.uint8)
    for x, y, side in squares:
        canvas[y : y + side, x : x + side] = 255
    return canvas


def boxes(detections: Detections) -> list[list[int]]:
    return sorted(np.round(detections.boxes).astype(int).tolist())


def test_small_faces_everywhere_are_found_once() -> None:
    # On borders of slices, in corners, in the middle.
    squares = [(0, 0, 20), (980, 980, 20), (250, 250, 20), (195, 500, 20), (500, 195, 20), (700, 333, 20)]

    detections = TiledDetector(SquareDetector(), 256).detect(picture(1000, 1000, squares))

    assert boxes(detections) == sorted([[x, y, x + side, y + side] for x, y, side in squares])


@pytest.mark.parametrize("left", range(0, 480, 48))
def test_a_face_up_to_the_shared_part_of_a_slice_is_found_whole_wherever_it_lies(left: int) -> None:
    detections = TiledDetector(SquareDetector(), 256).detect(picture(300, 560, [(left, 100, 60)]))

    assert boxes(detections) == [[left, 100, left + 60, 160]]


def test_a_face_larger_than_a_slice_is_found_in_the_shrunken_picture() -> None:
    (box,) = boxes(TiledDetector(SquareDetector(), 256).detect(picture(1024, 1024, [(200, 300, 600)])))

    assert box == pytest.approx([200, 300, 800, 900], abs=4)


def test_no_slice_is_larger_than_asked_for() -> None:
    detector = SquareDetector()

    TiledDetector(detector, 256).detect(picture(300, 2000, []))

    assert max(max(shape) for shape in detector.shapes) <= 256


def test_a_picture_of_one_slice_is_given_as_it_is() -> None:
    detector = SquareDetector()

    TiledDetector(detector, 256).detect(picture(200, 256, [(5, 5, 20)]))

    assert detector.shapes == [(200, 256, 3)]


def test_landmarks_come_back_in_pixels_of_the_picture() -> None:
    detections = TiledDetector(SquareDetector(), 256).detect(picture(600, 600, [(400, 500, 30)]))

    assert detections.landmarks is not None
    assert detections.landmarks.round().tolist() == [[[400, 500], [430, 530]]]


def test_a_tile_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="tile: expected 64 pixels or more, got 10"):
        TiledDetector(SquareDetector(), 10)


def test_it_can_be_pickled() -> None:
    copied = pickle.loads(pickle.dumps(TiledDetector(SquareDetector(), 256)))

    assert copied.tile == 256


class LabellingDetector(SquareDetector):
    """Says of each square whether it is large."""

    labels = ("small", "large")

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        squares = super().detect(image)
        large = (squares.boxes[:, 2] - squares.boxes[:, 0] > 40).astype(np.float32)
        return replace(squares, probabilities=np.stack([1 - large, large], axis=1))

    def describe(self) -> StageDescription:
        return StageDescription(model="squares.onnx")


def test_faces_of_slices_keep_their_probabilities() -> None:
    tiled = TiledDetector(LabellingDetector(), 256)

    faces = run_detector(tiled, picture(600, 600, [(400, 500, 30), (100, 100, 60)]), name="tiled")

    assert faces.probabilities is not None
    by_box = dict(zip(map(tuple, np.round(faces.boxes).tolist()), faces.probabilities.tolist(), strict=True))
    assert by_box == {(400, 500, 430, 530): [1, 0], (100, 100, 160, 160): [0, 1]}


def test_a_tiled_detector_says_of_itself_what_its_detector_does() -> None:
    labelling, plain = TiledDetector(LabellingDetector(), 256), TiledDetector(SquareDetector(), 256)

    assert detector_labels(labelling) == ("small", "large")
    assert detector_labels(plain) is None
    assert describe_detector(labelling, name="tiled").model == "squares.onnx"
    assert describe_detector(plain, name="tiled") == StageDescription()
