from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from maskcheck import Detector
from maskcheck.testing import DetectorTests
from maskcheck_example import SkinDetector


class TestSkinDetector(DetectorTests):
    @pytest.fixture
    def detector(self) -> Detector:
        return SkinDetector()


def test_a_patch_of_skin_colour_is_found_where_it_is() -> None:
    picture = np.full((100, 200, 3), (200, 120, 40), np.uint8)
    picture[20:60, 50:90] = (120, 150, 210)  # BGR

    detections = SkinDetector().detect(picture)

    assert detections.boxes.tolist() == [[50, 20, 90, 60]]
    assert detections.scores.tolist() == [1]


def test_the_installed_plugin_is_listed_with_its_distribution() -> None:
    command = [sys.executable, "-c", "from maskcheck.commands import main; main()", "detectors", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    found = {detector["name"]: detector["distribution"] for detector in listed["detectors"]}
    assert found["skin"] == "maskcheck-example"
    assert listed["failed"] == []
