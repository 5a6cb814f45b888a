from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detector, MaskPipeline, ModelError, ModelNotFound
from maskcheck.detectors.fusion import overlap
from maskcheck.testing import DetectorTests
from maskcheck_yunet import YuNetDetector
from maskcheck_yunet.detector import PRESETS
from maskcheck_yunet.model import VARIABLE

EXAMPLES = Path(__file__).parents[3] / "examples"
FACE = (156, 112, 356, 326)  # in astronaut.jpg

needs_model = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no model")


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(EXAMPLES / "astronaut.jpg")), np.uint8)


def fits(found: NDArray[np.float32], wanted: tuple[float, ...]) -> float:
    return float(overlap(found[None], np.array([wanted], np.float32))[0, 0])


@pytest.mark.parametrize("preset", PRESETS)
class TestWithToyModel(DetectorTests):
    @pytest.fixture
    def detector(self, preset: str, toy_yunet: Path) -> Detector:
        return YuNetDetector(preset, model=str(toy_yunet))


@needs_model
@pytest.mark.parametrize("preset", PRESETS)
class TestWithRealModel(DetectorTests):
    @pytest.fixture
    def detector(self, preset: str) -> Detector:
        return YuNetDetector(preset)


@needs_model
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("side", [24, 100, 200, 1500])
def test_faces_of_any_size_are_found(portrait: NDArray[np.uint8], preset: str, side: int) -> None:
    factor = side / (FACE[2] - FACE[0])
    picture = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)

    found = YuNetDetector(preset).detect(picture)

    assert found.scores[0] > 0.5
    assert fits(found.boxes[0], tuple(edge * factor for edge in FACE)) > 0.5


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_cell_becomes_a_box_in_pixels_of_the_picture(toy_yunet: Path, stride: int) -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[64 : 64 + stride, 96 : 96 + stride] = 255

    found = YuNetDetector(scale=1, model=str(toy_yunet)).propose(picture)

    # Smaller cells inside the square are bright, too.
    (index,) = np.flatnonzero(np.abs(found.boxes - [96, 64, 96 + stride, 64 + stride]).max(axis=1) < 0.01)
    assert found.scores[index] == pytest.approx(1)
    assert found.landmarks is not None
    assert found.landmarks[index, 0] == pytest.approx([96 + stride / 2, 64 + stride / 2])


def test_a_scale_finds_smaller_faces(toy_yunet: Path) -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[40:44, 60:64] = 255

    assert YuNetDetector(scale=1, model=str(toy_yunet)).propose(picture).scores.max(initial=0) < 0.5
    found = YuNetDetector(scale=2, model=str(toy_yunet)).propose(picture)
    assert found.boxes[0] == pytest.approx([60, 40, 64, 44], abs=0.6)


def test_a_missing_model_is_an_error_at_the_first_picture_not_before() -> None:
    pipeline = MaskPipeline("yunet", detector_options={"model": "nowhere.onnx"})

    with pytest.raises(ModelNotFound, match=r"no YuNet model nowhere\.onnx"):
        pipeline(EXAMPLES / "astronaut.jpg")


def test_a_damaged_model_is_an_error_that_names_it(tmp_path: Path, portrait: NDArray[np.uint8]) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model")

    with pytest.raises(ModelError, match=r"cannot load .*damaged\.onnx"):
        YuNetDetector(model=str(damaged)).detect(portrait)


def test_a_model_of_another_network_is_refused_with_what_it_lacks() -> None:
    classifier = EXAMPLES.parent / "sdk" / "maskcheck" / "models"
    other = next(classifier.glob("*.onnx"))

    with pytest.raises(ModelError, match=r"is no YuNet with free shapes: it has no output cls_8"):
        MaskPipeline("yunet", detector_options={"model": str(other)})(EXAMPLES / "astronaut.jpg")


def test_the_installed_plugin_is_listed_with_its_distribution() -> None:
    command = [sys.executable, "-c", "from maskcheck.commands import main; main()", "detectors", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    found = {detector["name"]: detector["distribution"] for detector in listed["detectors"]}
    assert found["yunet"] == "maskcheck-yunet"
    assert listed["failed"] == []
