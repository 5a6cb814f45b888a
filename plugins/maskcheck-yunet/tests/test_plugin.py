from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import MaskPipeline
from maskcheck.plugins import (
    Detections,
    Detector,
    ModelError,
    ModelNotFound,
    OnnxSession,
    SessionConfig,
    overlap,
)
from maskcheck.testing import DetectorTests
from maskcheck_yunet import YuNetDetector
from maskcheck_yunet.detector import PRESETS
from maskcheck_yunet.model import VARIABLE

EXAMPLES = Path(__file__).parents[3] / "examples"
GOLDEN = Path(__file__).with_name("golden.json")
FACE = (156, 112, 356, 326)  # in astronaut.jpg

needs_model = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no model")


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(EXAMPLES / "astronaut.jpg")), np.uint8)


def fits(detections: NDArray[np.float32], wanted: tuple[float, ...]) -> float:
    return float(overlap(detections[None], np.array([wanted], np.float32))[0, 0])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (3000, 8), (241, 317), (1500, 8000)])
def test_any_picture_gives_boxes_inside_it_the_same_again_after_pickling(
    toy_yunet: Path, preset: str, height: int, width: int
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    detector = YuNetDetector(preset, model=str(toy_yunet))

    detections = detector.detect(picture)
    again: Detections = pickle.loads(pickle.dumps(detector)).detect(picture[::-1][::-1])

    assert (detections.boxes >= 0).all()
    assert (detections.boxes <= [width, height, width, height]).all()
    assert np.array_equal(detections.boxes, again.boxes)
    assert np.array_equal(detections.scores, again.scores)


def test_a_pickle_holds_the_configuration_alone(toy_yunet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(toy_yunet))
    detector = YuNetDetector("fast")
    detector.warm_up()

    pickled = pickle.dumps(detector)

    assert str(toy_yunet).encode() not in pickled
    assert pickle.loads(pickled) == detector


def test_threads_that_come_at_once_share_one_session(toy_yunet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[OnnxSession] = []
    create, both = OnnxSession._create, threading.Barrier(2)

    def find_slowly(_model: str) -> Path:
        both.wait(timeout=60)
        return toy_yunet

    def count(session: OnnxSession) -> object:
        made.append(session)
        return create(session)

    monkeypatch.setattr("maskcheck_yunet.detector.find_model", find_slowly)
    monkeypatch.setattr(OnnxSession, "_create", count)
    detector = YuNetDetector("fast", session=SessionConfig("cpu", threads=1))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(detector.detect, [np.zeros((64, 64, 3), np.uint8)] * 2))

    assert len(made) == 1


@pytest.mark.parametrize(("height", "width"), [(1, 5_000_000), (5_000_000, 1), (2000, 2000)])
def test_what_the_network_sees_is_bounded_whatever_the_shape_and_the_scale(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def record(_detector: YuNetDetector, pictures: list[NDArray[np.uint8]]) -> list[Detections]:
        seen.append(pictures[0].shape[0] * pictures[0].shape[1])
        return [Detections.empty()]

    monkeypatch.setattr(YuNetDetector, "find_candidates", record)
    for scale in (None, 1, 8):
        YuNetDetector(scale=scale).detect(np.zeros((height, width, 3), np.uint8))

    assert max(seen) <= 12_000_000


@needs_model
def test_the_published_model_finds_what_it_always_found(portrait: NDArray[np.uint8]) -> None:
    """GOLDEN was written by ``python plugins/maskcheck-yunet/tests/golden.py``."""
    for preset, expected in json.loads(GOLDEN.read_text()).items():
        detections = YuNetDetector(preset, session=SessionConfig("cpu", threads=1)).detect(portrait)
        sure = detections[detections.scores >= 0.5]

        assert sure.boxes == pytest.approx(np.array(expected["boxes"]), abs=0.5)
        assert sure.scores == pytest.approx(np.array(expected["scores"]), abs=0.01)
        assert sure.landmarks is not None
        assert sure.landmarks == pytest.approx(np.array(expected["landmarks"]), abs=0.5)


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

    detections = YuNetDetector(preset).detect(picture)

    assert detections.scores[0] > 0.5
    assert fits(detections.boxes[0], tuple(edge * factor for edge in FACE)) > 0.5


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_cell_becomes_a_box_in_pixels_of_the_picture(toy_yunet: Path, stride: int) -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[64 : 64 + stride, 96 : 96 + stride] = 255

    detections = YuNetDetector(scale=1, model=str(toy_yunet)).detect(picture)

    # Smaller cells inside the square are bright, too.
    (index,) = np.flatnonzero(np.abs(detections.boxes - [96, 64, 96 + stride, 64 + stride]).max(axis=1) < 0.01)
    assert detections.scores[index] == pytest.approx(1)
    assert detections.landmarks is not None
    assert detections.landmarks[index, 0] == pytest.approx([96 + stride / 2, 64 + stride / 2])


def test_a_scale_finds_smaller_faces(toy_yunet: Path) -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[40:44, 60:64] = 255

    assert YuNetDetector(scale=1, model=str(toy_yunet)).detect(picture).scores.max(initial=0) < 0.5
    detections = YuNetDetector(scale=2, model=str(toy_yunet)).detect(picture)
    assert detections.boxes[0] == pytest.approx([60, 40, 64, 44], abs=0.6)


def test_pictures_of_one_size_share_a_run_and_get_what_each_gets_alone(toy_yunet: Path) -> None:
    pictures = [np.zeros((96, 160, 3), np.uint8) for _ in range(3)]
    pictures[1][32:64, 96:128] = 255
    pictures[2][0:8, 0:8] = 255
    detector = YuNetDetector(model=str(toy_yunet))

    together, alone = detector.detect_batch(pictures), [detector.detect(picture) for picture in pictures]

    assert [len(faces) for faces in together] == [len(faces) for faces in alone]
    assert [len(faces) > 0 for faces in alone] == [False, True, True]
    for faces, expected in zip(together, alone, strict=True):
        assert faces.boxes == pytest.approx(expected.boxes, abs=0.01)
    assert detector.detect_batch([]) == []
    with pytest.raises(ValueError, match="expected pictures of one size"):
        detector.detect_batch([pictures[0], pictures[0][:50]])


def test_it_says_what_it_runs_with(toy_yunet: Path) -> None:
    detector = YuNetDetector(model=str(toy_yunet), session=SessionConfig("cpu", threads=1))

    description = detector.describe()

    assert description.model == "toy_yunet.onnx"
    assert description.model_sha256 == hashlib.sha256(toy_yunet.read_bytes()).hexdigest()
    assert (description.providers, description.threads) == (("CPUExecutionProvider",), 1)
    assert detector.batch_size == 1


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
    other = next((EXAMPLES.parent / "sdk").rglob("*.onnx"))

    with pytest.raises(ModelError, match=r"is no YuNet with free shapes: it has no output cls_8"):
        MaskPipeline("yunet", detector_options={"model": str(other)})(EXAMPLES / "astronaut.jpg")


def test_the_installed_plugin_is_listed_with_its_distribution() -> None:
    command = [sys.executable, "-c", "from maskcheck.commands import main; main()", "detectors", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    distributions = {detector["name"]: detector["distribution"] for detector in listed["detectors"]}
    assert distributions["yunet"] == "maskcheck-yunet"
    assert listed["failed"] == []
