"""The kit that every detector passes is one that a bad detector fails."""

from __future__ import annotations

import cv2  # noqa: F401  # stays loaded: it cannot be imported twice, as the kit's runs in this process would
import pytest

pytest_plugins = ["pytester"]

HEAD = """
import numpy as np
import pytest
from maskcheck import Detections
from maskcheck.detectors.haar.detector import HaarDetector
from maskcheck.plugins import StageDescription
from maskcheck.testing import DetectorTests, FACE

def found(boxes, score=0.9, rows=None):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32), None, rows)

class Bad:
    default_min_score = 0.5
    def detect(self, image, /):
        height, width = image.shape[:2]
{body}

class TestBad(DetectorTests):
    @pytest.fixture
    def detector(self):
        return Bad()
"""

BAD = {
    "finds nothing": "return Detections.empty()",
    "always finds the same place": "return found([FACE]).clipped(width, height)",
    "takes the whole picture": "return found([[0, 0, width, height]])",
    "takes the middle": "return found([[width / 4, height / 3, width * 0.7, height * 0.77]])",
    "covers the picture with boxes": (
        "return found([[x, y, x + s, y + s] for s in (60, 120, 200) for x in range(0, width, 20)"
        " for y in range(0, height, 20)]).clipped(width, height)"
    ),
    "finds with scores below its own threshold": "return found([FACE], 0.1).clipped(width, height)",
}


SEES = "return HaarDetector('fast').detect(image)"

BAD_MEMBERS = {
    "batch that is blind": "    def detect_batch(self, images): return [Detections.empty() for _ in images]",
    "batch in another order": (
        "    def detect_batch(self, images): return [self.detect(image) for image in images][::-1]"
    ),
    "batch of one picture for all": "    def detect_batch(self, images): return [self.detect(images[0])] * len(images)",
    "batch with too few": "    def detect_batch(self, images): return [self.detect(images[0])]",
    "batch with other boxes": (
        "    def detect_batch(self, images):\n"
        "        return [self.detect(image).mapped((0.9, 0.9)) for image in images]"
    ),
    "batch of no size": (
        "    batch_size = 0\n    def detect_batch(self, images): return [self.detect(image) for image in images]"
    ),
    "labels without probabilities": "    labels = ('a', 'b')",
    "labels that are no tuple": "    labels = ['a', 'b']",
    "description of another kind": "    def describe(self): return {}",
    "description that changes": (
        "    def describe(self):\n"
        "        self.n = getattr(self, 'n', 0) + 1\n"
        "        return StageDescription(threads=self.n)"
    ),
    "description with half a hash": "    def describe(self): return StageDescription(model_sha256='abc')",
}


@pytest.mark.parametrize("member", BAD_MEMBERS.values(), ids=BAD_MEMBERS.keys())
def test_a_detector_whose_further_members_break_the_contract_fails(pytester: pytest.Pytester, member: str) -> None:
    pytester.makepyfile(HEAD.format(body=f"        {SEES}\n{member}"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", "batch or label or describes")

    assert result.parseoutcomes().get("failed", 0) == 1


def test_probabilities_without_labels_fail(pytester: pytest.Pytester) -> None:
    rows = "np.ones((1, 1), np.float32)"
    pytester.makepyfile(HEAD.format(body=f"        return found([FACE], 0.9, {rows}).clipped(width, height)"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", "probability_of_each")

    result.assert_outcomes(failed=1, deselected=result.parseoutcomes()["deselected"])


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_detector_that_does_not_look_fails(pytester: pytest.Pytester, body: str) -> None:
    pytester.makepyfile(HEAD.format(body=f"        {body}"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", "finds_the_faces or blank")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes()["failed"] >= 2


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("image[0, 0] = 0; return HaarDetector('fast').detect(image)", "leaves_the_picture or cannot_be_written"),
        (
            "self.n = getattr(self, 'n', 0) + 1; f = HaarDetector('fast').detect(image);"
            " return Detections(f.boxes, f.scores / np.float32(self.n))",
            "equal_results",
        ),
        (
            "return HaarDetector('fast').detect(np.ndarray(image.shape, np.uint8, np.repeat(image, 2, 1).tobytes()))",
            "in_a_view or finds_the_faces",
        ),
        ("self.f = lambda: 0; return HaarDetector('fast').detect(image)", "pickling"),
    ],
    ids=["writes into the picture", "has a memory", "reads other pixels", "cannot be pickled after use"],
)
def test_a_detector_with_a_bad_habit_fails(pytester: pytest.Pytester, body: str, test: str) -> None:
    pytester.makepyfile(HEAD.format(body=f"        {body}"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-k", test)

    assert result.parseoutcomes().get("failed", 0) >= 1


def test_a_detector_that_looks_passes(pytester: pytest.Pytester) -> None:
    body = f"        {SEES}"
    pytester.makepyfile(HEAD.format(body=body).replace("default_min_score = 0.5", "default_min_score = 0.85"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")

    # No folder of annotated pictures, no detect_batch, no describe.
    result.assert_outcomes(passed=result.parseoutcomes()["passed"], skipped=3)


def test_a_detector_with_all_members_passes(pytester: pytest.Pytester) -> None:
    members = """
        faces = HaarDetector('fast').detect(image)
        rows = np.stack([faces.scores, 1 - faces.scores], axis=1)
        return Detections(faces.boxes, faces.scores, None, rows)

    labels = ("face", "none")
    def detect_batch(self, images): return [self.detect(image) for image in images]
    def describe(self): return StageDescription(model="m.onnx", model_sha256="0" * 64, providers=("CPU",), threads=2)
"""
    pytester.makepyfile(HEAD.format(body=members).replace("default_min_score = 0.5", "default_min_score = 0.85"))

    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=result.parseoutcomes()["passed"], skipped=1)
