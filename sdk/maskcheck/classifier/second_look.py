"""The second look: what the classifier's network says of a detector's proposals, besides the labels.

A model file of schema 2 has two more outputs for each crop: whether it shows a face, and where the face is. The network
sees a square, not the box that was proposed, so the face is given relative to the square with the centre of the box
and the length of its longer side: the shift of the centre in units of that side, and the logarithms of width and height
over it (the parametrisation of Girshick et al., "Rich feature hierarchies for accurate object detection", 2014,
appendix C, with that square as the proposal).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FURTHEST = 1.5
"""Limit of a shift, in sides of the square, and of the logarithm of a side."""

_MOST_SHIFT = 0.5  # sides of the square
_LOGS = (-1.5, 0.7)
"""Places further away are not believed: no proposal of a face is that wrong, but a network may say anything of a
picture that is unlike all that it was trained on."""

_LEAST_ODDS = 1e-6  # probabilities nearer to 0 or 1 are as good as these


@dataclass(frozen=True, eq=False)
class Look:
    """What a classifier says of N crops.

    Attributes:
        probabilities: float32 (N, C), of the C labels; each row adds up to 1.
        face: float32 (N,), the probability that the box that was cut out is on a face; None if the classifier does not
            say.
        box: float32 (N, 4), the place of the face relative to the square of the box, as this module describes; None if
            the classifier does not say.
    """

    probabilities: NDArray[np.float32]
    face: NDArray[np.float32] | None = None
    box: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Look:
        """Of some of the crops: a mask, indices or a slice, as of an array."""
        return Look(
            self.probabilities[chosen],
            None if self.face is None else self.face[chosen],
            None if self.box is None else self.box[chosen],
        )

    @classmethod
    def nothing(cls, labels: int, *, says_face: bool) -> Look:
        """Of no crop.

        Args:
            labels: Number of labels.
            says_face: Whether the classifier says `face` and `box`.
        """
        face, box = (np.empty(0, np.float32), np.empty((0, 4), np.float32)) if says_face else (None, None)
        return cls(np.empty((0, labels), np.float32), face, box)

    @classmethod
    def joined(cls, looks: Sequence[Look]) -> Look:
        """Several looks of one classifier as a single one, in order."""
        faces = [look.face for look in looks if look.face is not None]
        boxes = [look.box for look in looks if look.box is not None]
        return cls(
            np.concatenate([look.probabilities for look in looks]),
            np.concatenate(faces) if faces else None,
            np.concatenate(boxes) if boxes else None,
        )


@dataclass(frozen=True)
class Combination:
    """How the score of a detector and the probability of a face become one score.

    ``sigmoid(logit(face) + weight * logit(detection score) + offset)``: logistic regression, with the weight of the
    network's own log odds fixed at 1.

    Attributes:
        least: Proposals with a lower detection score are not looked at.
        weight: Of the log odds of the detection score.
        offset: Added to the log odds.

    Raises:
        ValueError: A number that is not finite, or a `least` outside [0, 1].
    """

    least: float
    weight: float
    offset: float

    def __post_init__(self) -> None:
        numbers = (self.least, self.weight, self.offset)
        real = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in numbers)
        if not real or not all(map(math.isfinite, numbers)) or not 0 <= self.least <= 1:
            raise ValueError(f"expected a least score in [0, 1], a weight and an offset, got {numbers}")

    def scores(self, detection_scores: NDArray[np.float32], face: NDArray[np.float32]) -> NDArray[np.float32]:
        """The combined score of each of N proposals: float32 (N,), in [0, 1]."""
        odds = log_odds(face) + self.weight * log_odds(detection_scores) + self.offset
        return np.asarray(1 / (1 + np.exp(-odds)), np.float32)

    def to_dict(self) -> dict[str, float]:
        """As JSON-ready values."""
        return {"least": self.least, "weight": self.weight, "offset": self.offset}

    @classmethod
    def from_dict(cls, content: Any) -> Combination:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(content, dict) or not {"least", "weight", "offset"} <= content.keys():
            raise ValueError(f"expected least, weight and offset, got {content!r}")
        return cls(content["least"], content["weight"], content["offset"])


def log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logarithm of p / (1 - p), for probabilities that may be 0 or 1."""
    certain = np.clip(probabilities.astype(np.float64), _LEAST_ODDS, 1 - _LEAST_ODDS)
    return np.asarray(np.log(certain / (1 - certain)), np.float64)


def relative_boxes(faces: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Where faces are relative to the squares of boxes: what a network is trained to give.

    Args:
        faces: (N, 4), ``x1, y1, x2, y2`` in pixels, with an area.
        boxes: (N, 4), the proposal of each, with an area.

    Returns:
        float32 (N, 4), within ``FURTHEST``.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    shifts = (faces[:, :2] + faces[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2 / sides
    logs = np.log((faces[:, 2:] - faces[:, :2]) / sides)
    relative = np.concatenate([shifts, logs], axis=1)
    return np.asarray(np.clip(relative, -FURTHEST, FURTHEST), np.float32)


def absolute_boxes(relative: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The faces at places relative to the squares of boxes: the inverse of :func:`relative_boxes`.

    Args:
        relative: (N, 4).
        boxes: (N, 4), ``x1, y1, x2, y2`` in pixels.

    Returns:
        float64 (N, 4), ``x1, y1, x2, y2`` in pixels; they may leave the picture. A box whose face would be further away
        than half the side of the square, or much smaller or larger, stays as it is.
    """
    boxes = np.asarray(boxes, np.float64)
    relative = np.asarray(relative, np.float64)
    shifts, logs = relative[:, :2], relative[:, 2:]
    near = (np.abs(shifts) <= _MOST_SHIFT).all(axis=1) & ((logs >= _LOGS[0]) & (logs <= _LOGS[1])).all(axis=1)
    relative = np.clip(relative, -FURTHEST, FURTHEST)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + relative[:, :2] * sides
    halves = np.exp(relative[:, 2:]) * sides / 2
    return np.where(near[:, None], np.concatenate([centres - halves, centres + halves], axis=1), boxes)
