"""Finds eyes, nose and mouth of faces, so that what is painted on them follows their turn and tilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detector
from maskcheck.detectors.fusion import overlap
from maskcheck.detectors.guard import run_detector
from maskcheck.errors import MaskCheckError
from maskcheck.hosting.creation import create_detector
from maskcheck.hosting.registry import default_registry
from maskcheck.pictures.box import Box
from maskcheck.pictures.decoding import BGRImage

POINTS = 5  # eyes, nose, corners of the mouth

_REACH = 0.6  # surroundings of a box that the detector sees, as a share of its longer side
_SEARCHED_SIDE = 288  # pixels of the longer side of what the detector sees: one face is large enough at this size
_BORDER_SHARE = 0.25  # added around a whole picture, whose face often fills it
_LEAST_SCORE = 0.3
_LEAST_OVERLAP = 0.35  # of the found face with the annotated one


@dataclass(frozen=True)
class LandmarkFinder:
    """Asks a detector for the five points of one face.

    Attributes:
        name: Name of the detector.
        detector: A detector that gives five landmarks: eyes, nose and corners of the mouth, the left of the picture
            first.
    """

    name: str
    detector: Detector

    def find(self, picture: BGRImage, box: Box | None) -> NDArray[np.float32] | None:
        """The points of a face.

        Args:
            picture: uint8 (H, W, 3), BGR.
            box: The face, ``x1, y1, x2, y2`` in pixels; None for the largest face of a portrait.

        Returns:
            float32 (5, 2), x and y in pixels; None if the detector sees no such face.

        Raises:
            PluginError: The detector failed.
        """
        height, width = picture.shape[:2]
        known = np.array([0, 0, width, height] if box is None else box, np.float32)
        reach = _BORDER_SHARE * min(height, width) if box is None else _REACH * max(known[2:] - known[:2])
        left, top = np.floor(known[:2] - reach).astype(int)
        right, bottom = np.ceil(known[2:] + reach).astype(int)
        inside = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if not inside.size:
            return None
        scale = _SEARCHED_SIDE / max(right - left, bottom - top, 1)
        size = [max(round(side * scale), 1) for side in inside.shape[1::-1]]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        seen = cv2.resize(inside, size, interpolation=method)
        margins = np.array([-top, bottom - height, -left, right - width])
        above, below, before, behind = np.rint(np.maximum(margins, 0) * scale).astype(int).tolist()
        seen = cv2.copyMakeBorder(seen, above, below, before, behind, cv2.BORDER_REPLICATE)
        found = run_detector(self.detector, np.asarray(seen, np.uint8), name=self.name)
        found = found[found.scores >= _LEAST_SCORE].mapped((1 / scale, 1 / scale), (float(left), float(top)))
        if not len(found) or found.landmarks is None or found.landmarks.shape[1] != POINTS:
            return None
        if box is None:
            return np.asarray(found.landmarks[(found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1).argmax()])
        overlaps = overlap(found.boxes, known[None])[:, 0]
        best = int(overlaps.argmax())
        return np.asarray(found.landmarks[best]) if overlaps[best] >= _LEAST_OVERLAP else None


def landmark_finder(name: str | None, *, report: Callable[[str], None]) -> LandmarkFinder | None:
    """Make the finder of a detector, if the detector is installed.

    Args:
        name: Name of the detector; None for no landmarks.
        report: Called with a line if the detector is not there: a training goes on without landmarks.
    """
    if name is None:
        return None
    try:
        spec = default_registry().find(name).spec
        options = {"preset": "fast"} if any(option.name == "preset" for option in spec.options) else None
        detector = create_detector(spec, options)
        run_detector(detector, np.zeros((32, 32, 3), np.uint8), name=name)
    except MaskCheckError as error:
        report(f"without landmarks, painted masks stay upright: {error}")
        return None
    return LandmarkFinder(name, detector)
