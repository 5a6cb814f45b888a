"""A detector plugin in one file: takes each large patch of skin colour for a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.plugins import Detections, DetectorSpec, StageOption, hookimpl

# Skin in YCrCb, whatever its brightness: Chai and Ngan, "Face segmentation using skin-color map" (1999).
_DARKEST, _LIGHTEST = (0, 133, 77), (255, 173, 127)


@dataclass(frozen=True)
class SkinDetector:
    """Finds patches of skin colour; a template for better detectors.

    Attributes:
        default_min_score: Score from which a user sees a face.
        min_area: Smallest patch, as a share of the picture.
    """

    default_min_score: ClassVar[float] = 0.0

    min_area: float = 0.005

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        """Find patches in a picture: uint8 (H, W, 3), BGR. The score is the share of its box that a patch fills."""
        skin = cv2.inRange(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb), np.array(_DARKEST), np.array(_LIGHTEST))
        _, _, patches, _ = cv2.connectedComponentsWithStats(skin)
        x, y, width, height, area = patches[1:].T.astype(np.float32)  # the first one is the background
        large = area >= self.min_area * skin.size
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        return Detections(boxes[large], (area / (width * height))[large])


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the detector to maskcheck."""
    least = StageOption(
        "min_area", float, SkinDetector.min_area, "smallest patch, as a share of the picture", minimum=0, maximum=1
    )
    return [DetectorSpec("skin", "patches of skin colour; a template", SkinDetector, (least,), api_version=2)]
