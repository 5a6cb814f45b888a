"""Plugins of others, one of each version of the interface, as pip installs them: each runs in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VERSION_1 = '''
from dataclasses import dataclass

import numpy as np

from maskcheck import Detections, DetectorOption, DetectorSpec, hookimpl


@dataclass(frozen=True)
class Middle:
    """The middle of the picture, and a corner of which it is not sure."""

    side: int = 20

    def detect(self, image, /):
        height, width = image.shape[:2]
        x, y = (width - self.side) // 2, (height - self.side) // 2
        boxes = np.array([[x, y, x + self.side, y + self.side], [0, 0, 10, 10]], np.float32)
        return Detections(boxes, np.array([0.9, 0.4], np.float32))


@hookimpl
def maskcheck_register_detectors():
    side = DetectorOption("side", int, 20, "side of the face, in pixels", minimum=1)
    return [DetectorSpec("middle", "the middle", Middle, (side,), default_min_score=0.5, api_version=1)]
'''

VERSION_2 = '''
from dataclasses import dataclass, field

import numpy as np

from maskcheck.plugins import (
    ClassifierSpec, Detections, DetectorSpec, SessionConfig, StageDescription, StageOption, crop_face, hookimpl
)

calls = []


@dataclass(frozen=True)
class Halves:
    """The left half of the picture, with a score that is its brightness."""

    default_min_score = 0.5
    batch_size = 2

    margin: int = 0
    session: SessionConfig = field(default_factory=SessionConfig)

    def detect(self, image, /):
        calls.append(1)
        return self._detect(image)

    def detect_batch(self, images):
        calls.append(len(images))
        return [self._detect(image) for image in images]

    def _detect(self, image):
        height, width = image.shape[:2]
        box = np.array([[self.margin, 0, width / 2, height]], np.float32)
        return Detections(box, np.array([image.mean() / 255], np.float32))

    def describe(self):
        return StageDescription(model="halves.onnx", providers=("CPUExecutionProvider",), threads=self.session.threads)


class LabelledHalves(Halves):
    labels = ("bright", "dark")

    def _detect(self, image):
        faces = super()._detect(image)
        rows = np.stack([faces.scores, 1 - faces.scores], axis=1)
        return Detections(faces.boxes, faces.scores, None, rows)


class Reddish:
    """How red a face is."""

    labels = ("red", "other")
    batch_size = 4

    def crop(self, image, boxes):
        return np.array([crop_face(image, box, size=4, margin=0) for box in boxes])

    def __call__(self, crops):
        return np.tile(np.array([0.25, 0.75], np.float32), (len(crops), 1))


@hookimpl
def maskcheck_register_detectors():
    margin = StageOption("margin", int, 0, "left out on the left, in pixels", minimum=0)
    return [
        DetectorSpec("halves", "the left half", Halves, (margin,), uses_session=True, api_version=2),
        DetectorSpec("labelled", "the same, labelled", LabelledHalves, (margin,), uses_session=True, api_version=2),
    ]


@hookimpl
def maskcheck_register_classifiers():
    return [ClassifierSpec("reddish", "how red a face is", Reddish, api_version=2)]
'''

PICTURE = """
import json
import numpy as np
picture = np.full((60, 100, 3), 204, np.uint8)
"""


@pytest.fixture
def run(install_plugin: Callable[[str, str], Path], toy_model: Path) -> Callable[[str], Any]:
    """Runs code where both plugins are installed; gives what it prints as JSON."""
    install_plugin("outside_one", VERSION_1)
    site = install_plugin("outside_two", VERSION_2)
    environment = {**os.environ, "PYTHONPATH": str(site), "MASKCHECK_PLUGINS": "outside_one,outside_two"}

    def run_code(code: str) -> Any:
        command = [sys.executable, "-W", "error", "-c", PICTURE + f"model = {str(toy_model)!r}\n" + code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_code


def test_a_plugin_of_version_1_runs_in_the_pipeline_with_its_options_and_threshold(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
pipeline = MaskPipeline("middle", detector_options={"side": "30"}, model=model, device="cpu", threads=1)
result = pipeline(picture)
print(json.dumps([pipeline.min_score, [list(face.box) for face in result], result.faces[0].label]))
""")

    assert result == [0.5, [[35, 15, 65, 45]], "bright"]


def test_a_plugin_of_version_2_runs_in_the_pipeline_with_its_options_and_threshold(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
pipeline = MaskPipeline("halves", detector_options={"margin": 10}, model=model, device="cpu", threads=1)
bright, dark = pipeline(picture), pipeline(picture // 4)
print(json.dumps([pipeline.min_score, [list(face.box) for face in bright], len(dark.faces)]))
""")

    assert result == [0.5, [[10, 0, 50, 60]], 0]


def test_a_detector_of_version_2_gets_pictures_in_batches(run: Callable[[str], Any]) -> None:
    result = run("""
import outside_two
from maskcheck.detectors.guard import run_detector_batch
detections = run_detector_batch(outside_two.Halves(), [picture, picture // 4, picture], name="halves")
print(json.dumps([outside_two.calls, [each.scores.round(2).tolist() for each in detections]]))
""")

    assert result == [[2, 1], [[pytest.approx(0.8)], [pytest.approx(0.2)], [pytest.approx(0.8)]]]


def test_a_detector_of_version_2_gets_the_session_and_is_in_the_receipt(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
stage = MaskPipeline("halves", model=model, device="cpu", threads=3).receipt.stages[0]
print(json.dumps([stage.distribution, stage.version, stage.model, stage.providers, stage.threads]))
""")

    assert result == ["outside_two", "1", "halves.onnx", ["CPUExecutionProvider"], 3]


def test_a_detector_of_version_2_labels_faces_and_no_classifier_runs(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
pipeline = MaskPipeline("labelled", classifier=None)
(face,) = pipeline(picture)
print(json.dumps([face.label, face.probabilities, [stage.kind for stage in pipeline.receipt.stages]]))
""")

    assert result == ["bright", {"bright": pytest.approx(0.8), "dark": pytest.approx(0.2)}, ["detector"]]


def test_a_detector_that_labels_faces_keeps_its_labels_over_tiles(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
pipeline = MaskPipeline("labelled", classifier=None, tile=64)
print(json.dumps([face.label for face in pipeline(picture)]))
""")

    assert set(result) == {"bright"}


def test_a_classifier_of_a_plugin_labels_the_faces(run: Callable[[str], Any]) -> None:
    result = run("""
from maskcheck import MaskPipeline
pipeline = MaskPipeline("halves", classifier="reddish")
(face,) = pipeline(picture)
stages = [(stage.kind, stage.name, stage.distribution) for stage in pipeline.receipt.stages]
print(json.dumps([face.label, face.probabilities, stages]))
""")

    assert result == [
        "other",
        {"red": 0.25, "other": 0.75},
        [["detector", "halves", "outside_two"], ["classifier", "reddish", "outside_two"]],
    ]


def test_asking_for_a_detector_imports_no_other_plugin(run: Callable[[str], Any]) -> None:
    result = run("""
import sys
from maskcheck.hosting.registry import default_registry
default_registry().find("haar")
print(json.dumps([name for name in sys.modules if name.startswith("outside_")]))
""")

    assert result == []
