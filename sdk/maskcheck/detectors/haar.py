"""The default detector: OpenCV's Haar cascades (Viola and Jones, 2001), which need no model file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.detectors.api import Detections, Detector, DetectorOption, DetectorSpec, hookimpl
from maskcheck.errors import PluginError
from maskcheck.images import BGRImage


@dataclass(frozen=True)
class _Cascade:
    """A cascade file of OpenCV, and the logistic curve from its level weight to the chance of being a face.

    Slope and offset were fitted with scikit-learn's LogisticRegression on what the cascade finds, at scale factor 1.1
    and one neighbour, in the 511 crowd pictures of the Face Mask Detection set (a hit: IoU of 0.5 or more with a face).
    """

    file: str
    slope: float
    offset: float


_CASCADES = {
    "frontal_alt2": _Cascade("haarcascade_frontalface_alt2.xml", 1.803, -98.60),
    "frontal_alt": _Cascade("haarcascade_frontalface_alt.xml", 2.084, -222.01),
    "frontal_default": _Cascade("haarcascade_frontalface_default.xml", 0.394, -1.048),
}

_loaded = threading.local()  # cascades keep scratch buffers: two threads in one of them crash


@dataclass(frozen=True)
class HaarDetector:
    """Haar cascade detector; safe to share between threads, each of which loads its own cascade.

    Attributes:
        cascade: Name of the cascade.
        scale_factor: Ratio of successive window sizes, above 1; nearer to 1 is slower and finds more.
        min_neighbors: Overlapping hits that make a face; fewer finds more, and more that are none.
        min_size: Shorter side of the smallest face sought, in pixels of the picture; 0 for the cascade's own.
        upscale: The picture is enlarged by this factor first, to find smaller faces.
    """

    cascade: str = "frontal_alt2"
    scale_factor: float = 1.1
    min_neighbors: int = 3
    min_size: int = 0
    upscale: float = 1.0

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR."""
        cv2 = _opencv()
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if self.upscale != 1:
            grey = cv2.resize(grey, None, fx=self.upscale, fy=self.upscale, interpolation=cv2.INTER_LINEAR)
        side = round(self.min_size * self.upscale)
        boxes, _, weights = _cascade(self.cascade).detectMultiScale3(
            grey, self.scale_factor, self.min_neighbors, minSize=(side, side), outputRejectLevels=True
        )
        if len(boxes) == 0:
            return Detections.empty()
        corners = np.asarray(boxes, np.float32) / np.float32(self.upscale)
        corners[:, 2:] += corners[:, :2]
        curve = _CASCADES[self.cascade]
        scores = 1 / (1 + np.exp(-(curve.slope * np.ravel(weights) + curve.offset)))
        return Detections(corners, scores.astype(np.float32)).clipped(image.shape[1], image.shape[0])


def _opencv() -> Any:
    import cv2  # here, so that detectors can be listed where OpenCV does not load

    if not hasattr(cv2, "CascadeClassifier"):
        raise PluginError(
            f"OpenCV {cv2.__version__} has no CascadeClassifier, which the detector haar needs;"
            ' install OpenCV 4: pip install "opencv-python>=4.10,<5"',
            plugin="haar",
        )
    return cv2


def _cascade(name: str) -> Any:
    """This thread's own copy of a cascade."""
    cascades: dict[str, Any] = _loaded.__dict__.setdefault("cascades", {})
    if name not in cascades:
        cascades[name] = _load(name)
    return cascades[name]


def check_cascades() -> str:
    """Which cascades there are, in words.

    Raises:
        PluginError: OpenCV has no cascade classifier, or came without one of the files.
    """
    for name in _CASCADES:
        _load(name)
    return ", ".join(_CASCADES)


def _load(name: str) -> Any:
    cv2 = _opencv()
    path = Path(cv2.data.haarcascades) / _CASCADES[name].file
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise PluginError(
            f"OpenCV {cv2.__version__} came without {path.name} (looked in {path.parent});"
            ' install the wheel from PyPI: pip install --force-reinstall "opencv-python>=4.10,<5"',
            plugin="haar",
        )
    return cascade


@hookimpl
def maskcheck_register_detectors() -> Sequence[DetectorSpec]:
    """Offer the Haar detector, through the same hook as any plugin."""
    defaults = HaarDetector()
    return [
        DetectorSpec(
            name="haar",
            summary="OpenCV's Haar cascades; no model file, frontal faces that are near",
            factory=_create,
            options=(
                DetectorOption(
                    "cascade", str, defaults.cascade, "which of OpenCV's cascades", choices=tuple(_CASCADES)
                ),
                DetectorOption(
                    "scale_factor",
                    float,
                    defaults.scale_factor,
                    "ratio of successive window sizes; nearer to 1 is slower and finds more",
                    minimum=1.01,
                    maximum=2,
                ),
                DetectorOption(
                    "min_neighbors",
                    int,
                    defaults.min_neighbors,
                    "overlapping hits that make a face; fewer finds more, and more that are none",
                    minimum=0,
                    maximum=1000,
                ),
                DetectorOption(
                    "min_size",
                    int,
                    defaults.min_size,
                    "side of the smallest face sought, in pixels; 0 for the cascade's own",
                    minimum=0,
                    maximum=100_000,
                ),
                DetectorOption(
                    "upscale",
                    float,
                    defaults.upscale,
                    "enlarge the picture by this factor first, to find smaller faces",
                    minimum=1,
                    maximum=8,
                ),
            ),
            api_version=1,
        )
    ]


def _create(**options: Any) -> Detector:
    return HaarDetector(**options)
