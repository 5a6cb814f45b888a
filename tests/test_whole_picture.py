"""The whole picture as one face, and what every built-in detector offers a host: a threshold and a warm-up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from maskcheck import Detections, Detector, MaskPipeline, PluginError, load_image
from maskcheck.detectors.guard import detector_min_score
from maskcheck.detectors.tiling import TiledDetector
from maskcheck.hosting.creation import create_detector, default_min_score
from maskcheck.hosting.registry import InstalledPlugins
from maskcheck.pictures.decoding import BGRImage

BUILT_IN = ("haar", "haar-plain", "whole-picture")


def make(name: str) -> Detector:
    return create_detector(InstalledPlugins(list).detectors.find(name).spec)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (48, 64), (3000, 2)])
def test_the_whole_picture_is_one_face_that_is_certain(height: int, width: int) -> None:
    detections = make("whole-picture").detect(np.zeros((height, width, 3), np.uint8))

    assert detections.boxes.tolist() == [[0, 0, width, height]]
    assert detections.scores.tolist() == [1]


def test_a_crop_that_is_a_face_is_labelled_as_a_whole(portrait: Path, toy_model: Path) -> None:
    crop = load_image(portrait).pixels[112:326, 156:356]

    (face,) = MaskPipeline("whole-picture", model=toy_model, device="cpu", threads=1)(crop)

    assert face.box == (0, 0, 200, 214)
    assert face.detection_score == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_tiled_detector_has_the_threshold_of_the_detector_which_listings_show(name: str) -> None:
    spec = InstalledPlugins(list).detectors.find(name).spec
    detector = create_detector(spec)

    assert default_min_score(spec) == detector_min_score(detector) == (0.85 if name == "haar" else 0)
    assert TiledDetector(detector, 256).default_min_score == default_min_score(spec)


@pytest.mark.parametrize("name", ["haar", "haar-plain"])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_warm_up_says_what_is_missing(name: str, tiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = TiledDetector(make(name), 256) if tiled else make(name)
    detector.warm_up()  # type: ignore[attr-defined]
    monkeypatch.setattr("maskcheck.detectors.haar.cascades._idle", {})
    monkeypatch.delattr(cv2, "CascadeClassifier")

    with pytest.raises(PluginError, match="has no CascadeClassifier"):
        detector.warm_up()  # type: ignore[attr-defined]


def test_a_tiled_detector_takes_one_without_threshold_and_warm_up() -> None:
    class Bare:
        def detect(self, _image: BGRImage, /) -> Detections:
            return Detections.empty()

    tiled = TiledDetector(Bare(), 256)
    tiled.warm_up()

    assert tiled.default_min_score == 0
