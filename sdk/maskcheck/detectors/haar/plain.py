"""OpenCV's own Haar call, as most programs make it: the yardstick of other detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from maskcheck.detectors.api import Detections
from maskcheck.detectors.haar.cascades import SMALLEST_WINDOW, borrowed_cascade
from maskcheck.detectors.scales import Scales
from maskcheck.pictures.decoding import BGRImage

# Slope and offset of the logistic curve from the weight that OpenCV gives a face to the chance that it is one. Fitted
# with scikit-learn's LogisticRegression on what each cascade finds, at scale factor 1.1 and one neighbour, in the 511
# crowd pictures of the Face Mask Detection set (a hit: IoU of 0.5 or more with a face).
CURVES = {
    "frontal_default": (0.394, -1.048),
    "frontal_alt2": (1.803, -98.60),
    "frontal_alt": (2.084, -222.01),
}

_LARGEST = (
    24_000_000  # pixels that the cascade sees at most: OpenCV takes 60 bytes for each, and far more of some shapes
)


@dataclass(frozen=True)
class PlainHaarDetector:
    """``detectMultiScale`` of one whole cascade; safe to share between threads, and picklable.

    Attributes:
        cascade: Name of the cascade.
        scale_factor: Ratio of successive window sizes, above 1; nearer to 1 is slower and finds more.
        min_neighbors: Overlapping hits that make a face; fewer finds more, and more that are none.
        min_size: Side of the smallest window, in pixels of the picture; 0 for the cascade's own.
        upscale: The picture is enlarged by this factor first, to find smaller faces. The cascade sees 24
            megapixels at most; a larger one is shrunk.
    """

    default_min_score: ClassVar[float] = 0.0

    cascade: str = "frontal_default"
    scale_factor: float = 1.1
    min_neighbors: int = 4
    min_size: int = 0
    upscale: float = 1.0

    def warm_up(self) -> None:
        """Load the cascade now.

        Raises:
            PluginError: OpenCV has no cascade classifier, or came without the file.
        """
        with borrowed_cascade(self.cascade):
            pass

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        (upscale,) = Scales((self.upscale,), enlarged=_LARGEST, largest=_LARGEST).of(grey.shape[1], grey.shape[0])
        if min(grey.shape) * upscale < SMALLEST_WINDOW:
            return Detections.empty()
        if upscale != 1:
            method = cv2.INTER_LINEAR if upscale > 1 else cv2.INTER_AREA
            grey = cv2.resize(grey, None, fx=upscale, fy=upscale, interpolation=method)
        side = round(self.min_size * upscale)
        with borrowed_cascade(self.cascade, longest=max(grey.shape)) as cascade:
            boxes, _, weights = cascade.detectMultiScale3(
                grey, self.scale_factor, self.min_neighbors, minSize=(side, side), outputRejectLevels=True
            )
        if len(boxes) == 0:
            return Detections.empty()
        corners = np.asarray(boxes, np.float32) / np.float32(upscale)
        corners[:, 2:] += corners[:, :2]
        slope, offset = CURVES[self.cascade]
        scores = 1 / (1 + np.exp(-(slope * np.ravel(weights) + offset)))
        return Detections(corners, scores.astype(np.float32)).clipped(image.shape[1], image.shape[0])
