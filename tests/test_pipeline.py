from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskPipeline


def test_boxes_of_the_caller_are_labelled_in_their_order(toy_model: Path, halves: NDArray[np.uint8]) -> None:
    faces = MaskPipeline(model=toy_model).classify(halves, [[60, 10, 90, 40], [5, 10, 35, 40]])

    assert [face.label for face in faces] == ["dark", "bright"]
