from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.plugins import Detector
from maskcheck.testing import DetectorTests
from maskcheck_example import SkinDetector

SKY, SKIN = (200, 120, 40), (120, 150, 210)  # BGR


class TestSkinDetector(DetectorTests):
    @pytest.fixture
    def detector(self) -> Detector:
        return SkinDetector()

    @pytest.fixture
    def picture(self) -> NDArray[np.uint8]:
        """Not a portrait: a face and its neck are one patch of skin."""
        picture = np.full((100, 200, 3), SKY, np.uint8)
        picture[20:60, 50:90] = SKIN
        return picture

    @pytest.fixture
    def faces(self) -> list[tuple[int, int, int, int]]:
        return [(50, 20, 90, 60)]


def test_a_patch_of_skin_colour_is_found_where_it_is() -> None:
    picture = np.full((100, 200, 3), SKY, np.uint8)
    picture[20:60, 50:90] = SKIN

    detections = SkinDetector().detect(picture)

    assert detections.boxes.tolist() == [[50, 20, 90, 60]]
    assert detections.scores.tolist() == [1]


def test_the_installed_plugin_is_listed_with_its_distribution() -> None:
    command = [sys.executable, "-c", "from maskcheck.commands import main; main()", "detectors", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    distributions = {detector["name"]: detector["distribution"] for detector in listed["detectors"]}
    assert distributions["skin"] == "maskcheck-example"
    assert listed["failed"] == []
