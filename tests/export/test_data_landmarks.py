"""Landmarks of the training faces: found in pixels of the picture, kept in the pack, and not needed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck_export.data.landmarks import LandmarkFinder, landmark_finder
from maskcheck_export.data.pack import cut_region, pack_faces
from maskcheck_export.data.samples import NO_FACE, Sample

FACE = (60.0, 40.0, 100.0, 90.0)
POINTS = np.array([[70, 60], [90, 60], [80, 70], [73, 78], [87, 78]], np.float32)


def street(size: tuple[int, int] = (160, 130)) -> NDArray[np.uint8]:
    """A grey picture with five red points."""
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for x, y in POINTS:
        cv2.circle(picture, (round(x), round(y)), 2, (0, 0, 255), -1)
    return picture


class RedPoints:
    """A detector that takes five red points for the landmarks of a face."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift, self.asked = shift, 0

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        self.asked += 1
        red = ((image[..., 2] > 180) & (image[..., 0] < 60)).astype(np.uint8)
        count, _, _, centres = cv2.connectedComponentsWithStats(red)
        if count != 6:
            return Detections.empty()
        points = centres[1:].astype(np.float32)
        points = points[np.lexsort((points[:, 0], np.round(points[:, 1] / 8)))]
        unit = float(points[1, 0] - points[0, 0])
        x, y = points[2] + self.shift * unit
        box = np.array([[x - unit, y - 1.5 * unit, x + unit, y + unit]], np.float32)
        size = image.shape[1], image.shape[0]
        return Detections(box, np.ones(1, np.float32), points[None]).clipped(*size)


def test_the_points_of_a_box_are_in_pixels_of_the_picture() -> None:
    found = LandmarkFinder("red", RedPoints()).find(street(), FACE)
    assert found is not None
    assert np.abs(found - POINTS).max() < 1.5


def test_a_face_at_the_edge_of_the_picture_has_points_too() -> None:
    cut = np.ascontiguousarray(street()[45:90, 58:100])
    found = LandmarkFinder("red", RedPoints()).find(cut, None)
    assert found is not None
    assert np.abs(found - (POINTS - [58, 45])).max() < 1.5


def test_a_face_elsewhere_is_not_taken_for_the_annotated_one() -> None:
    assert LandmarkFinder("red", RedPoints(shift=3)).find(street((400, 400)), FACE) is None
    assert LandmarkFinder("red", RedPoints()).find(np.zeros((80, 80, 3), np.uint8), (10, 10, 50, 50)) is None


def test_a_detector_that_is_not_installed_is_reported_and_missed_by_nobody() -> None:
    lines: list[str] = []
    assert landmark_finder("no-such-detector", report=lines.append) is None
    assert "no-such-detector" in lines[0]
    assert landmark_finder(None, report=lines.append) is None
    assert len(lines) == 1


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), street())
    moved = (56.0, 44.0, 104.0, 92.0)
    return [
        Sample(path, FACE, "without_mask", "street", "a", whole=False, face=FACE),
        Sample(path, moved, "without_mask", "street", "a", whole=False, face=FACE),
        Sample(path, (5.0, 5.0, 30.0, 30.0), NO_FACE, "street", "a", whole=False),
    ]


def test_the_pack_keeps_the_points_in_pixels_of_each_region(samples: list[Sample], tmp_path: Path) -> None:
    detector = RedPoints()
    finder = LandmarkFinder("red", detector)
    pack = pack_faces(samples, tmp_path / "pack", bare_label="without_mask", report=print, landmarks=finder)
    face, proposed, nothing = pack.read([0, 1, 2])
    assert face.landmarks is not None
    assert proposed.landmarks is not None
    assert nothing.landmarks is None
    for region in (face, proposed):
        for x, y in np.rint(np.asarray(region.landmarks)).astype(int):
            assert region.pixels[y, x, 2] > 180
    assert pack.with_landmarks == 2
    assert detector.asked == 1  # the proposal shares the face


def test_a_pack_with_points_replaces_one_without(samples: list[Sample], tmp_path: Path) -> None:
    lines: list[str] = []
    without = pack_faces(samples, tmp_path / "pack", bare_label="without_mask", report=lines.append)
    assert without.with_landmarks == 0
    assert without.read([0])[0].landmarks is None
    finder = LandmarkFinder("red", RedPoints())
    pack = pack_faces(samples, tmp_path / "pack", bare_label="without_mask", report=lines.append, landmarks=finder)
    assert pack.with_landmarks == 2


def test_the_face_of_a_detectors_box_begins_at_the_hairline(samples: list[Sample]) -> None:
    region = cut_region(street(), samples[1])
    assert region.face is not None
    assert region.target is not None
    assert region.face[[0, 2, 3]].tolist() == region.target[[0, 2, 3]].tolist()
    assert 0.2 < (region.target[1] - region.face[1]) / (region.target[3] - region.target[1]) < 0.35
    assert cut_region(street(), samples[2]).face is None
