"""The whole picture as one face, for pictures that are faces already: crops of another detector, say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maskcheck.detectors.api import Detections
from maskcheck.pictures.decoding import BGRImage


@dataclass(frozen=True)
class WholePictureDetector:
    """Takes every picture for one face, with a score of 1; looks at none of its pixels."""

    default_min_score: ClassVar[float] = 0.0

    def detect(self, image: BGRImage, /) -> Detections:
        """One box as large as the picture: uint8 (H, W, 3), BGR."""
        height, width = image.shape[:2]
        return Detections(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32))

    def warm_up(self) -> None:
        """There is nothing to load."""
