"""What the pipeline says of a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from maskcheck.errors import MaskCheckError, PackageNotInstalled
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.pictures.drawing import draw_faces
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits

if TYPE_CHECKING:
    import supervision

SCHEMA = "maskcheck/1"
UNSURE = "unsure"
"""What a face is counted as whose label is less sure than asked for; never a label in the JSON."""


@dataclass(frozen=True)
class Face:
    """One face. Equal faces have equal values; a face may be a member of a set.

    Attributes:
        box: ``(x1, y1, x2, y2)`` in whole pixels of the upright picture, half-open, inside it.
        label: The most probable label; which labels there are, the model file says.
        confidence: Probability of that label, in [0, 1].
        probabilities: Of every label; they add up to 1.
        detection_score: How sure the detector is that this is a face, in [0, 1]; None for boxes of the caller.

    Raises:
        ValueError: A number that is not finite.
    """

    box: tuple[int, int, int, int]
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    detection_score: float | None = None

    def __post_init__(self) -> None:
        numbers = [self.confidence, *self.probabilities.values(), self.detection_score or 0.0]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected finite numbers, got {self!r}")

    def __hash__(self) -> int:  # without the probabilities, which are a mapping
        return hash((self.box, self.label, self.confidence, self.detection_score))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "box": [int(side) for side in self.box],
            "label": self.label,
            "confidence": _rounded(self.confidence),
            "probabilities": {label: _rounded(value) for label, value in self.probabilities.items()},
            "detection_score": None if self.detection_score is None else _rounded(self.detection_score),
        }


@dataclass(frozen=True)
class Timings:
    """Time that one picture took, in milliseconds.

    Attributes:
        decode: From file to pixels.
        detect: Finding faces.
        classify: Cropping and classifying; where pictures share a batch, this one's share of it by number of faces.
        total: Sum of the above.
    """

    decode: float = 0.0
    detect: float = 0.0
    classify: float = 0.0

    @property
    def total(self) -> float:
        """Sum of all stages."""
        return self.decode + self.detect + self.classify

    def to_dict(self) -> dict[str, float]:
        """As JSON-ready values."""
        stages = {"decode": self.decode, "detect": self.detect, "classify": self.classify, "total": self.total}
        return {stage: round(value, 3) for stage, value in stages.items()}


@dataclass(frozen=True)
class Receipt:
    """What a result was made with.

    Attributes:
        detector: Name of the detector.
        detector_options: Values of all its options; none for a detector that was given as an object.
        min_score: Least detection score of a face that is reported.
        tile: Side of the slices that the detector was given, in pixels; None if it saw whole pictures.
        model: File name of the classifier.
        model_sha256: Its SHA-256, in hexadecimal.
        providers: Execution providers that are active in the classifier's session.
        threads: Threads of the classifier's session.
        precision: Arithmetic that the classifier runs in: ``int8``, ``float32``, ``float16``, ...
        chosen_by: What decided that: ``asked``, ``tuned``, ``cpu``, ``provider`` or ``file``.
        versions: Of maskcheck, onnxruntime, opencv and numpy.
    """

    detector: str
    detector_options: Mapping[str, int | float | str | bool | None]
    min_score: float
    tile: int | None
    model: str
    model_sha256: str
    providers: tuple[str, ...]
    threads: int
    precision: str
    chosen_by: str
    versions: Mapping[str, str]

    def __hash__(self) -> int:  # without the options and versions, which are mappings
        return hash((self.detector, self.min_score, self.tile, self.model_sha256, self.providers, self.threads))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "detector": self.detector,
            "detector_options": dict(self.detector_options),
            "min_score": self.min_score,
            "tile": self.tile,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "providers": list(self.providers),
            "threads": self.threads,
            "precision": self.precision,
            "chosen_by": self.chosen_by,
            "versions": dict(self.versions),
        }


@dataclass(frozen=True)
class FrameResult:
    """All faces of one picture or video frame. Iterating it gives the faces; none is a normal result.

    A notebook shows the annotated picture if the result is of a file, else a table of the faces.

    Attributes:
        faces: In order of falling detection score.
        size: ``(width, height)`` of the upright picture in pixels; ``(0, 0)`` if it could not be read.
        timings: Time that it took.
        source: Path of the picture, if it has one.
        frame: Position in its source, from 0.
        notes: What was left out while decoding, in words.
        error: Why there is no result; None if there is one.
        receipt: What it was made with; None if there is an error.
    """

    faces: tuple[Face, ...]
    size: tuple[int, int]
    timings: Timings = field(default_factory=Timings)
    source: str | None = None
    frame: int = 0
    notes: tuple[str, ...] = ()
    error: MaskCheckError | None = None
    receipt: Receipt | None = None

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    def __len__(self) -> int:
        return len(self.faces)

    def __bool__(self) -> bool:
        return True  # a picture without faces is a result too; without this, __len__ would make it false

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values in the schema ``maskcheck/1``; ``notes`` is there only when there are some."""
        error = None
        if self.error is not None:
            error = {"type": type(self.error).__name__, "message": str(self.error)}
        line = {
            "schema": SCHEMA,
            "source": self.source,
            "frame": self.frame,
            "width": self.size[0],
            "height": self.size[1],
            "faces": [face.to_dict() for face in self.faces],
            "timings_ms": self.timings.to_dict(),
            "error": error,
        }
        return line | ({"notes": list(self.notes)} if self.notes else {})

    def draw(self, image: ImageLike, *, min_confidence: float = 0.0, limits: DecodingLimits | None = None) -> BGRImage:
        """The picture with a box and a label for each face.

        Args:
            image: The picture that this is the result of; it is not changed.
            min_confidence: A face whose label is less sure is drawn in grey, as ``unsure``.
            limits: What the picture may cost; by default, the SDK's limits and the size of this result.

        Returns:
            A new array: uint8 (H, W, 3), BGR.

        Raises:
            ImageError: The picture cannot be decoded.
            ValueError: The picture has another size, so it is another picture.
        """
        pixels = load_image(image, limits=limits or _limits_of(self.size)).pixels
        height, width = pixels.shape[:2]
        if (width, height) != self.size:
            raise ValueError(
                f"expected the picture of this result, {self.size[0]} x {self.size[1]} pixels, got {width} x {height}"
            )
        return draw_faces(pixels, self.faces, min_confidence=min_confidence)

    def to_supervision(self) -> supervision.Detections:
        """As ``supervision.Detections``, for its trackers, zones, filters and annotators.

        ``xyxy`` is float32 (N, 4) in pixels, ``confidence`` float32 (N,) the probability of the label, ``class_id``
        int (N,) the label's place among the model's labels. ``data`` has ``class_name`` (N,), ``detection_score``
        float32 (N,), NaN where there is none, and ``probabilities`` float32 (N, labels).

        Raises:
            PackageNotInstalled: The package supervision is not installed, or cannot be imported.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise PackageNotInstalled(
                f"to_supervision needs the package supervision, which cannot be imported ({error}); install it:"
                " pip install supervision",
                package="supervision",
            ) from error
        if not self.faces:
            return Detections.empty()  # as supervision's own sources give it, so that it merges with others
        places = {label: place for place, label in enumerate(self.faces[0].probabilities)}
        scores = [math.nan if face.detection_score is None else face.detection_score for face in self.faces]
        probabilities = [[face.probabilities[label] for label in places] for face in self.faces]
        return Detections(
            xyxy=np.array([face.box for face in self.faces], np.float32),
            confidence=np.array([face.confidence for face in self.faces], np.float32),
            class_id=np.array([places[face.label] for face in self.faces], int),
            data={
                "class_name": np.array([face.label for face in self.faces]),
                "detection_score": np.array(scores, np.float32),
                "probabilities": np.array(probabilities, np.float32),
            },
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """What a notebook shows: the annotated picture if the result is of a picture file, else a table of the faces.

        A result keeps no pixels, so the file is read again; one that is gone or has another size since gives the table.
        """
        from maskcheck.pictures.drawing.notebook_display import as_jpeg, as_table

        picture = None
        if self.source is not None and self.frame == 0 and self.error is None:
            with suppress(MaskCheckError, ValueError, OSError):
                picture = as_jpeg(self.draw(self.source))
        if picture is not None:
            return {"image/jpeg": picture}
        return {"text/html": as_table(self.to_dict())}


def count_labels(results: Iterable[FrameResult], *, min_confidence: float = 0.0) -> Counter[str]:
    """How many faces have each label; one whose confidence is below `min_confidence` counts as ``unsure``."""
    return Counter(UNSURE if face.confidence < min_confidence else face.label for result in results for face in result)


def _rounded(value: float) -> float:
    """To six digits, as Python's own float, also where a caller's number is numpy's."""
    return round(float(value), 6)


def _limits_of(size: tuple[int, int]) -> DecodingLimits:
    """Limits that let the picture of a result pass again, whatever size was allowed when it was decoded."""
    return replace(
        DEFAULT_LIMITS,
        max_pixels=max(DEFAULT_LIMITS.max_pixels, size[0] * size[1]),
        max_side=max(DEFAULT_LIMITS.max_side, *size),
    )
