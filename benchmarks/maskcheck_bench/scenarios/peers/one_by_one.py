"""A pipeline as people write it without an SDK: find the faces, cut them out, classify them, picture by picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from maskcheck import Detections, Face, FrameResult
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.results import Timings
from maskcheck_bench.scenarios.peers.peer import Classify


@dataclass(frozen=True)
class OneByOne:
    """Labels the faces of a picture.

    Attributes:
        detect: Finds faces in uint8 (H, W, 3) BGR, with boxes inside the picture.
        cut: Cuts boxes, (N, 4) in pixels, out of a picture: uint8 (N, S, S, 3), RGB.
        classify: Returns the probabilities of all labels for all crops of a picture.
        labels: The label of each probability.
        min_score: Faces with a lower detection score are left out.
    """

    detect: Callable[[BGRImage], Detections]
    cut: Callable[[BGRImage, NDArray[np.float32]], Crops]
    classify: Classify
    labels: tuple[str, ...]
    min_score: float = 0.0

    def __call__(self, image: ImageLike) -> FrameResult:
        """Find and label the faces of a picture, in the order of their detection scores, highest first.

        Raises:
            ImageError: The picture cannot be decoded.
        """
        started = perf_counter()
        pixels = load_image(image).pixels
        decoded = perf_counter()
        detections = self.detect(pixels)
        detections = detections[np.argsort(-detections.scores, kind="stable")]
        detections = detections[detections.scores >= self.min_score]
        detected = perf_counter()
        probabilities = self.classify(self.cut(pixels, detections.boxes)) if len(detections) else ()
        classified = perf_counter()
        return FrameResult(
            faces=tuple(map(self._face, detections.boxes, detections.scores.tolist(), probabilities)),
            size=(pixels.shape[1], pixels.shape[0]),
            timings=Timings(
                decode=(decoded - started) * 1000,
                detect=(detected - decoded) * 1000,
                classify=(classified - detected) * 1000,
            ),
        )

    def _face(self, box: NDArray[np.float32], score: float, probabilities: NDArray[np.float32]) -> Face:
        x1, y1, x2, y2 = box.astype(int).tolist()
        return Face(
            box=(x1, y1, x2, y2),
            label=self.labels[int(probabilities.argmax())],
            confidence=float(probabilities.max()),
            probabilities=dict(zip(self.labels, probabilities.tolist(), strict=True)),
            detection_score=score,
        )
