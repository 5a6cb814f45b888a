"""A face and its label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from maskcheck.pictures.box import Box
from maskcheck.results.fields import Fields


@dataclass(frozen=True)
class Face:
    """A face and its label. Equal faces have equal values; a face can be a member of a set.

    Attributes:
        box: ``(x1, y1, x2, y2)`` in pixels of the upright picture, inside it; it may lie between pixels.
        label: The most probable label; of a tracked face, it changes only when another one is clearly more probable.
            The model defines which labels there are.
        confidence: Probability of that label, in [0, 1].
        probabilities: Probability of each label; they add up to 1.
        detection_score: How sure it is that this is a face, in [0, 1]: the detector's score, or that of detector and
            classifier together where the classifier takes a second look. None for boxes of the caller.
        landmarks: Points of the face, each ``(x, y)`` in pixels of the upright picture, in the order of the detector;
            None if the detector finds no points.
        track_id: Number that a tracker gives to the same face in every frame of a video; None without a tracker.
            A tracked face has the label and the probabilities of its track, smoothed over time.
        predicted: Whether the detector did not see the face in this frame, and `box` is where the tracker expects it.
        face: The classifier's probability that the box is on a face at all, in [0, 1]; None if it does not say.

    Raises:
        ValueError: A number is not finite, or `face` is not in [0, 1].
    """

    box: Box
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    detection_score: float | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    track_id: int | None = None
    predicted: bool = False
    face: float | None = None

    def __post_init__(self) -> None:
        points = chain.from_iterable(self.landmarks or ())
        numbers = [*self.box, self.confidence, *self.probabilities.values(), self.detection_score or 0.0, *points]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected finite numbers, got {self!r}")
        if self.face is not None and not 0 <= self.face <= 1:
            raise ValueError(f"face: expected a number in [0, 1], got {self.face!r}")

    def __hash__(self) -> int:  # without the probabilities, which are a mapping
        scores = self.confidence, self.detection_score, self.face
        return hash((self.box, self.label, *scores, self.landmarks, self.track_id))

    @property
    def pixel_box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)`` in whole pixels, half-open: the smallest that contains `box`."""
        x1, y1, x2, y2 = self.box
        return math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; ``landmarks``, ``track_id`` and ``face`` are there if known, ``predicted`` if true."""
        content: dict[str, Any] = {
            "box": list(self.pixel_box),
            "label": self.label,
            "confidence": _rounded(self.confidence),
            "probabilities": {label: _rounded(value) for label, value in self.probabilities.items()},
            "detection_score": None if self.detection_score is None else _rounded(self.detection_score),
        }
        if self.landmarks is not None:
            content["landmarks"] = [[_rounded(x, 2), _rounded(y, 2)] for x, y in self.landmarks]
        if self.track_id is not None:
            content["track_id"] = int(self.track_id)
        if self.predicted:
            content["predicted"] = True
        if self.face is not None:
            content["face"] = _rounded(self.face)
        return content

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """A face from its JSON; its box lies on whole pixels.

        Raises:
            ValueError: A field is missing or has a value of another kind.
        """
        x1, y1, x2, y2 = fields.numbers("box", 4)
        return cls(
            box=(x1, y1, x2, y2),
            label=fields.text("label"),
            confidence=fields.number("confidence"),
            probabilities={name: float(value) for name, value in fields.mapping("probabilities", int, float).items()},
            detection_score=fields.optional("detection_score", fields.number),
            landmarks=fields.optional("landmarks", fields.points),
            track_id=fields.optional("track_id", fields.integer),
            predicted=bool(fields.optional("predicted", fields.boolean)),
            face=fields.optional("face", fields.number),
        )


def _rounded(value: float, digits: int = 6) -> float:
    """As a float of Python, also where the caller's number is one of numpy."""
    return round(float(value), digits)
