"""Haar cascades propose faces, and a judge looks at what they propose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import one_box_per_face
from maskcheck.detectors.haar.cascades import SMALLEST_WINDOW, borrowed_cascade, find_windows
from maskcheck.detectors.haar.presets import DEFAULT_MIN_SCORE, DEFAULT_PRESET, PRESETS, Search
from maskcheck.detectors.judge.judge import load_judge
from maskcheck.detectors.network import check_preset
from maskcheck.detectors.scales import Scales
from maskcheck.pictures.decoding import BGRImage

_PACKAGE = "maskcheck.detectors.haar"  # with the judge

# Where in a window the face is, as people draw it: medians over windows that meet a face in 85 crowd pictures, for
# both frontal cascades within 0.02; as shares of the window's side.
_FACE_IN_WINDOW = np.array([0.09, 0.17, -0.08, 0.07], np.float32)


@dataclass(frozen=True)
class HaarDetector:
    """Faces by Haar cascades (Viola and Jones, 2001) that are cut short, and a judge of what they let pass.

    Safe to share between threads, each of which uses cascades of its own; picklable.

    Attributes:
        preset: ``fast``, ``balanced`` or ``thorough``.
        enlarge: Enlarge the picture by this factor instead of the preset's.
        scale_factor: Ratio of successive window sizes, above 1, instead of the preset's.
        min_size: Shorter side of the smallest face sought, in pixels of the picture; 0 for the smallest possible.
        equalize: Equalise the contrast of each region of the picture (CLAHE) first.

    Raises:
        ValueError: No such preset.
    """

    default_min_score: ClassVar[float] = DEFAULT_MIN_SCORE

    preset: str = DEFAULT_PRESET
    enlarge: float | None = None
    scale_factor: float | None = None
    min_size: int = 0
    equalize: bool = False

    def __post_init__(self) -> None:
        check_preset(self.preset, PRESETS)

    def warm_up(self) -> None:
        """Load the cascades and the judge now.

        Raises:
            PluginError: OpenCV has no cascade classifier, or came without one of the files.
        """
        load_judge(_PACKAGE)
        for cascade, stages in {(search.cascade, search.stages) for search in self._searches()}:
            with borrowed_cascade(cascade, stages):
                pass

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR."""
        judge = load_judge(_PACKAGE)
        return one_box_per_face(judge(image, self.propose(image)), image.shape[1], image.shape[0])

    def propose(self, image: BGRImage, /) -> Detections:
        """Windows that may be faces, many for each face; a cascade does not tell them apart, so all score alike."""
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        if self.equalize:
            grey = np.asarray(cv2.createCLAHE(clipLimit=2, tileGridSize=(8, 8)).apply(grey), np.uint8)
        boxes = np.concatenate([self._run(grey, search) for search in self._searches()])
        return Detections(boxes, np.full(len(boxes), 0.5, np.float32))

    def _searches(self) -> list[Search]:
        return [
            replace(
                search,
                enlarge=self.enlarge or search.enlarge,
                scale_factor=self.scale_factor or search.scale_factor,
            )
            for search in PRESETS[self.preset]
        ]

    def _run(self, grey: NDArray[np.uint8], search: Search) -> NDArray[np.float32]:
        width = grey.shape[1]
        scale = Scales((search.enlarge,), enlarged=1_500_000, largest=6_000_000).of(width, grey.shape[0])[0]
        if min(grey.shape) * scale < SMALLEST_WINDOW:  # of long strips, nothing may be left at all
            return np.empty((0, 4), np.float32)
        if scale != 1:
            method = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
            grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=method), np.uint8)
        if search.mirrored:
            grey = np.asarray(cv2.flip(grey, 1), np.uint8)
        smallest = round(self.min_size * scale / (1 + _FACE_IN_WINDOW[2] - _FACE_IN_WINDOW[0]))
        windows = find_windows(
            grey, search.cascade, stages=search.stages, scale_factor=search.scale_factor, min_size=smallest
        )
        windows /= np.float32(scale)
        if search.mirrored:
            windows = np.stack([width - windows[:, 2], windows[:, 1], width - windows[:, 0], windows[:, 3]], axis=1)
        return face_in_window(windows)


def face_in_window(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the face is in windows (N, 4) that a frontal cascade accepts."""
    return windows + _FACE_IN_WINDOW * (windows[:, 2:3] - windows[:, :1])
