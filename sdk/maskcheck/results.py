"""What the pipeline says of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from maskcheck.errors import MaskCheckError
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.pictures.drawing import draw_faces
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits

SCHEMA = "maskcheck/1"


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes:
        box: ``(x1, y1, x2, y2)`` in whole pixels of the upright picture, half-open, inside it.
        label: The most probable label; which labels there are, the model file says.
        confidence: Probability of that label, in [0, 1].
        probabilities: Of every label; they add up to 1.
        detection_score: How sure the detector is that this is a face, in [0, 1]; None for boxes of the caller.
    """

    box: tuple[int, int, int, int]
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    detection_score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "box": list(self.box),
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "probabilities": {label: round(value, 6) for label, value in self.probabilities.items()},
            "detection_score": None if self.detection_score is None else round(self.detection_score, 6),
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

    def draw(self, image: ImageLike) -> BGRImage:
        """The picture with a box and a label for each face.

        Args:
            image: The picture that this is the result of; it is not changed.

        Returns:
            A new array: uint8 (H, W, 3), BGR.

        Raises:
            ValueError: The picture has another size, so it is another picture.
        """
        pixels = load_image(image, limits=_limits_of(self.size)).pixels
        height, width = pixels.shape[:2]
        if (width, height) != self.size:
            raise ValueError(
                f"expected the picture of this result, {self.size[0]} x {self.size[1]} pixels, got {width} x {height}"
            )
        return draw_faces(pixels, self.faces)


def _limits_of(size: tuple[int, int]) -> DecodingLimits:
    """Limits that let the picture of a result pass again, whatever it was decoded with."""
    return replace(
        DEFAULT_LIMITS,
        max_pixels=max(DEFAULT_LIMITS.max_pixels, size[0] * size[1]),
        max_side=max(DEFAULT_LIMITS.max_side, *size),
    )
