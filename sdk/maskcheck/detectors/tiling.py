"""Large pictures in overlapping slices, so that a detector sees small faces at full size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections, Detector
from maskcheck.detectors.fusion import MOST_CANDIDATES, concatenate, foremost, merge, shared_areas
from maskcheck.pictures.decoding import BGRImage
from maskcheck.stages import StageDescription

SMALLEST_TILE = 64
"""Least side of a slice, in pixels."""

_SHARE = 0.25  # of a slice that its neighbour shows, too: a face up to that size is whole in one of the two
_LARGE = 0.5 * _SHARE  # of a slice: faces from that size up are looked for in the shrunken picture, too
_TOUCH = 2.0  # pixels: a box nearer to an inner edge of its slice is that of a face which the edge cuts
_NEAR = 1.0  # times the longer side of a box: nearer to an inner edge of its slice, it may be a part of a cut face
_PART = 0.8  # share of the area of a box that sees more: a box with less area is a part; others are merged
_COVERED = 0.6  # share of a box that a box of another slice has to cover to be of the same face


@dataclass(frozen=True)
class TiledDetector:
    """Any detector, for large pictures: slice by slice, and once on the whole picture shrunk to the size of a slice.

    If an inner edge of a slice cuts a face, the box comes from the neighbouring slice, which has all of it, or from the
    shrunken picture, if the face is too large for that. The same goes for a face near the edge that these see. Only a
    single slice is copied at a time.

    Attributes:
        detector: What looks for faces.
        tile: Side of a slice in pixels, 64 or more. A picture with no longer side is given as it is.

    Raises:
        ValueError: `tile` is too small.
    """

    detector: Detector
    tile: int

    def __post_init__(self) -> None:
        if self.tile < SMALLEST_TILE:
            raise ValueError(f"tile: expected {SMALLEST_TILE} pixels or more, got {self.tile}")

    @property
    def default_min_score(self) -> float:
        """That of the detector, 0 if it has none."""
        return float(getattr(self.detector, "default_min_score", 0.0))

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Those of the detector; None if it leaves them to a classifier."""
        labels: tuple[str, ...] | None = getattr(self.detector, "labels", None)
        return labels

    def warm_up(self) -> None:
        """Let the detector load what it needs, if it can do so before a picture comes.

        Raises:
            MaskCheckError: It cannot.
        """
        warm_up = getattr(self.detector, "warm_up", None)
        if warm_up is not None:
            warm_up()

    def describe(self) -> StageDescription:
        """What the detector says that it runs with; nothing if it does not say."""
        describe = getattr(self.detector, "describe", None)
        description: StageDescription = StageDescription() if describe is None else describe()
        return description

    def detect(self, image: BGRImage, /) -> Detections:
        """Find faces in a picture: uint8 (H, W, 3), BGR."""
        height, width = image.shape[:2]
        if max(height, width) <= self.tile:
            return self.detector.detect(image)
        slices = [self._detect_slice(image, left, top) for top in self._starts(height) for left in self._starts(width)]
        whole = self._detect_whole(image)
        candidates = concatenate([*(faces for faces, _ in slices), whole])
        distances = np.concatenate([*(distance for _, distance in slices), np.full(len(whole), np.inf, np.float32)])
        origins = np.repeat(np.arange(len(slices) + 1), [*(len(faces) for faces, _ in slices), len(whole)])
        kept = _seen_best(candidates, distances, origins)
        return merge(candidates[kept]).clipped(width, height)

    def _starts(self, length: int) -> Iterator[int]:
        """Where slices begin along a side: evenly, the last one ending with the picture."""
        if length <= self.tile:
            yield 0
            return
        count = 1 + int(np.ceil((length - self.tile) / (self.tile * (1 - _SHARE))))
        yield from (round(start) for start in np.linspace(0, length - self.tile, count))

    def _detect_slice(self, image: BGRImage, left: int, top: int) -> tuple[Detections, NDArray[np.float32]]:
        """Faces of a slice in pixels of the picture, and how far each is from the nearest inner edge of the slice."""
        height, width = image.shape[:2]
        right, bottom = min(left + self.tile, width), min(top + self.tile, height)
        detections = self.detector.detect(np.ascontiguousarray(image[top:bottom, left:right]))
        detections = foremost(detections, MOST_CANDIDATES).mapped(offset=(left, top))
        inner = [
            detections.boxes[:, 0] - left if left > 0 else None,
            detections.boxes[:, 1] - top if top > 0 else None,
            right - detections.boxes[:, 2] if right < width else None,
            bottom - detections.boxes[:, 3] if bottom < height else None,
        ]
        distances = [np.full(len(detections), np.inf, np.float32), *(edge for edge in inner if edge is not None)]
        distance = np.minimum.reduce(distances)
        whole = distance >= _TOUCH
        return detections[whole], distance[whole]

    def _detect_whole(self, image: BGRImage) -> Detections:
        height, width = image.shape[:2]
        shrink = self.tile / max(height, width)
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        detections = self.detector.detect(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8))
        detections = detections.mapped((width / size[0], height / size[1]))
        return detections[
            (detections.boxes[:, 2:] - detections.boxes[:, :2]).max(axis=1, initial=0) >= _LARGE * self.tile
        ]


def _seen_best(candidates: Detections, distances: NDArray[np.float32], origins: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which boxes are left when those near an inner edge of their slice give way to a box that sees more of the face.

    A detector may stop short of the edge that cuts a face, so that the part looks whole. Another slice, or the shrunken
    picture, then sees the face farther from its own edges, in a box that holds most of the part.
    """
    longer = (candidates.boxes[:, 2:] - candidates.boxes[:, :2]).max(axis=1, initial=0)
    kept = np.ones(len(candidates), np.bool_)
    for index in np.flatnonzero(distances < _NEAR * longer):
        rivals = (origins != origins[index]) & (distances > distances[index])
        box, others = candidates.boxes[index], candidates.boxes[rivals]
        area = np.prod(box[2:] - box[:2])
        covered = shared_areas(others, box) > _COVERED * area
        larger = _PART * (others[:, 2:] - others[:, :2]).prod(axis=1) > area
        kept[index] = not (covered & larger).any()
    return kept
