"""What a face detector is, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

DEFAULT_BATCH_SIZE = 8
"""Most pictures that ``detect_batch`` gets at once, of a detector that does not say."""

_ROUNDING = 1e-3
"""By which a row of probabilities may miss 1."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one picture.

    Attributes:
        boxes: float32 (N, 4), ``x1, y1, x2, y2`` in pixels of the picture, half-open. What a detector gives to the
            pipeline lies inside the picture; :meth:`clipped` cuts it to that.
        scores: float32 (N,), in [0, 1], rising with certainty.
        landmarks: float32 (N, K, 2), x and y of K points of each face in pixels, or None.
        probabilities: float32 (N, C), of each of the C labels that the detector's attribute ``labels`` names; each row
            adds up to 1. None for a detector that finds faces and leaves the labels to a classifier.

    Raises:
        ValueError: Another shape or dtype, or values that are not finite or out of range.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None
    probabilities: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count = len(self.scores) if np.ndim(self.scores) == 1 else "N"
        _expect("boxes", self.boxes, (count, 4))
        _expect("scores", self.scores, (count,))
        if self.landmarks is not None:
            _expect("landmarks", self.landmarks, (count, "K", 2))
        if self.probabilities is not None:
            _expect("probabilities", self.probabilities, (count, "C"))
            _expect_probabilities(self.probabilities)
        if len(self.scores) and not (self.scores.min() >= 0 and self.scores.max() <= 1):
            raise ValueError(f"scores: expected [0, 1], got {self.scores.min()} to {self.scores.max()}")
        if (self.boxes[:, 2:] < self.boxes[:, :2]).any():
            raise ValueError("boxes: expected x1 <= x2 and y1 <= y2 in every row")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        """No face."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32))

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Detections:
        """Some of the faces: a mask, indices or a slice, as of an array."""
        landmarks = None if self.landmarks is None else self.landmarks[chosen]
        probabilities = None if self.probabilities is None else self.probabilities[chosen]
        return Detections(self.boxes[chosen], self.scores[chosen], landmarks, probabilities)

    def mapped(self, scale: tuple[float, float] = (1, 1), offset: tuple[float, float] = (0, 0)) -> Detections:
        """The same faces in another picture of which this one is a scaled copy or a part.

        Args:
            scale: Pixels of the other picture to one of this, along x and y.
            offset: Where this picture begins in the other, x and y in pixels of the other.
        """
        factors, start = np.array(scale, np.float32), np.array(offset, np.float32)
        return replace(
            self,
            boxes=self.boxes * np.tile(factors, 2) + np.tile(start, 2),
            landmarks=None if self.landmarks is None else self.landmarks * factors + start,
        )

    def clipped(self, width: int, height: int) -> Detections:
        """The boxes cut to a picture, without those of which nothing is left. Landmarks stay where they are.

        Args:
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
        """
        boxes = np.clip(self.boxes, 0, np.array([width, height, width, height], np.float32))
        return replace(self, boxes=boxes)[self.inside(width, height)]

    def inside(self, width: int, height: int) -> NDArray[np.bool_]:
        """Which boxes have a part inside a picture of that size, in pixels: bool (N,)."""
        boxes = np.clip(self.boxes, 0, np.array([width, height, width, height], np.float32))
        return np.asarray(np.logical_and.reduce(boxes[:, :2] < boxes[:, 2:], axis=1), np.bool_)


def _expect(name: str, array: Any, shape: tuple[int | str, ...]) -> None:
    wanted = f"expected float32 of shape ({', '.join(map(str, shape))})"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: {wanted}, got {type(array).__name__}")
    fits = array.ndim == len(shape) and all(
        isinstance(side, str) or side == actual for side, actual in zip(shape, array.shape, strict=False)
    )
    if array.dtype != np.float32 or not fits:
        raise ValueError(f"{name}: {wanted}, got {array.dtype} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


def _expect_probabilities(rows: NDArray[np.float32]) -> None:
    if len(rows) == 0:
        return
    sums = rows.sum(axis=1)
    if rows.min() < 0 or rows.max() > 1 or np.abs(sums - 1).max() > _ROUNDING:
        raise ValueError(
            f"probabilities: expected numbers in [0, 1] that add up to 1 in every row, got numbers from {rows.min():g}"
            f" to {rows.max():g} that add up to {sums.min():g} to {sums.max():g}"
        )


@runtime_checkable
class Detector(Protocol):
    """Finds faces. It must bear calls from several threads at once, and be picklable.

    Further members are used where a detector has them:

    - ``default_min_score: float``, in [0, 1], the score from which a user sees a face; 0 without it.
    - ``labels: tuple[str, ...]``: the detector labels faces itself. Its ``Detections`` then have ``probabilities`` of
      these labels, and no classifier runs.
    - ``warm_up() -> None`` loads now what the first picture would wait for, or raises a ``MaskCheckError``.
    - ``detect_batch(images) -> list[Detections]`` finds the faces of several pictures of one size, with the same
      results as ``detect``, but for rounding.
    - ``batch_size: int``, the most pictures that ``detect_batch`` wants at once; 8 without it. With 1, only ``detect``
      is called.
    - ``describe() -> StageDescription``: the model file, its SHA-256, and what its session runs on; it may load them.
    """

    def detect(self, image: BGRImage, /) -> Detections:
        """Find the faces of one picture.

        Args:
            image: uint8 (H, W, 3), BGR, of any size from 1 x 1; not to be changed. It may be a view with any strides.

        Returns:
            Faces whose boxes lie inside the picture, down to low scores: the pipeline leaves out those below the
            score that is asked for.
        """
