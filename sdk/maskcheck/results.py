"""The result of a picture: its faces, their labels, and what they were made with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

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
    """A face and its label. Equal faces have equal values; a face can be a member of a set.

    Attributes:
        box: ``(x1, y1, x2, y2)`` in pixels of the upright picture, inside it; it may lie between pixels.
        label: The most probable label. The model defines which labels there are.
        confidence: Probability of that label, in [0, 1].
        probabilities: Probability of each label; they add up to 1.
        detection_score: How sure the detector is that this is a face, in [0, 1]; None for boxes of the caller.
        landmarks: Points of the face, each ``(x, y)`` in pixels of the upright picture, in the order of the detector;
            None if the detector finds no points.
        track_id: Number that a tracker gives to the same face in every frame of a video; None without a tracker.

    Raises:
        ValueError: A number is not finite.
    """

    box: tuple[float, float, float, float]
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    detection_score: float | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    track_id: int | None = None

    def __post_init__(self) -> None:
        points = chain.from_iterable(self.landmarks or ())
        numbers = [*self.box, self.confidence, *self.probabilities.values(), self.detection_score or 0.0, *points]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected finite numbers, got {self!r}")

    def __hash__(self) -> int:  # without the probabilities, which are a mapping
        return hash((self.box, self.label, self.confidence, self.detection_score, self.landmarks, self.track_id))

    @property
    def pixel_box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)`` in whole pixels, half-open: the smallest that contains `box`."""
        x1, y1, x2, y2 = self.box
        return math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; ``landmarks`` and ``track_id`` are there only if they are known."""
        content = {
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
        return content


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
class StageReceipt:
    """A stage of the pipeline, and what it runs with.

    Attributes:
        kind: ``detector`` or ``classifier``.
        name: Name that it is registered by; for an object, the name of its class.
        distribution: The installed distribution that it comes from; None for an object.
        version: Version of that distribution.
        options: Values of all its options; empty for an object.
        model: File name of its model; None if it has none, or does not say.
        model_sha256: SHA-256 of that file, in hexadecimal.
        providers: Execution providers that are active in its session, in order.
        threads: Threads of its session.
        precision: Arithmetic that its model runs in: ``int8``, ``float32``, ``float16``, ...
    """

    kind: Literal["detector", "classifier"]
    name: str
    distribution: str | None = None
    version: str | None = None
    options: Mapping[str, int | float | str | bool | None] = field(default_factory=dict)
    model: str | None = None
    model_sha256: str | None = None
    providers: tuple[str, ...] = ()
    threads: int | None = None
    precision: str | None = None

    def __hash__(self) -> int:  # without the options, which are a mapping
        return hash((self.kind, self.name, self.version, self.model_sha256, self.providers, self.threads))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "options": dict(self.options),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "providers": list(self.providers),
            "threads": self.threads,
            "precision": self.precision,
        }


@dataclass(frozen=True)
class Receipt:
    """What results were made with.

    Attributes:
        detector: Name of the detector.
        detector_options: Values of all its options; empty for a detector that was given as an object.
        min_score: Least detection score of a face that is reported.
        tile: Side of the slices that the detector was given, in pixels; None if it saw whole pictures.
        model: File name of the classifier.
        model_sha256: Its SHA-256, in hexadecimal.
        providers: Execution providers that are active in the classifier's session.
        threads: Threads of the classifier's session.
        precision: Arithmetic that the classifier runs in: ``int8``, ``float32``, ``float16``, ...
        chosen_by: What decided that: ``asked``, ``tuned``, ``cpu``, ``provider`` or ``file``.
        versions: Of maskcheck, onnxruntime, opencv and numpy.
        stages: The detector, and the classifier if there is one.
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
    stages: tuple[StageReceipt, ...] = ()

    def __hash__(self) -> int:  # without the options and versions, which are mappings
        return hash(
            (self.detector, self.min_score, self.tile, self.model_sha256, self.providers, self.threads, self.stages)
        )

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
            "stages": [stage.to_dict() for stage in self.stages],
        }


@dataclass(frozen=True)
class FrameResult:
    """All faces of a picture or video frame. Iterating it gives the faces; a picture may have none.

    A notebook displays the annotated picture if the pixels are at hand, else a table of the faces.

    Attributes:
        faces: In order of falling detection score.
        size: ``(width, height)`` of the upright picture in pixels; ``(0, 0)`` if it could not be read.
        timings: Time that it took.
        source: Path or address of the picture, if it has one.
        frame: Position in its source, from 0.
        time: Seconds from the start of the source; None where there is no clock, as for pictures.
        notes: What was left out while decoding, in words.
        error: Why there is no result; None if there is one.
        receipt: What it was made with; None if there is an error.
        image: The upright picture, uint8 (H, W, 3), BGR, if it was asked for with ``stream(keep_images=True)``, else
            None. It is neither compared nor part of the JSON.
    """

    faces: tuple[Face, ...]
    size: tuple[int, int]
    timings: Timings = field(default_factory=Timings)
    source: str | None = None
    frame: int = 0
    time: float | None = None
    notes: tuple[str, ...] = ()
    error: MaskCheckError | None = None
    receipt: Receipt | None = None
    image: BGRImage | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    def __len__(self) -> int:
        return len(self.faces)

    def __bool__(self) -> bool:
        return True  # a picture without faces is a result too; without this, __len__ would make it false

    @property
    def boxes(self) -> NDArray[np.float32]:
        """``x1, y1, x2, y2`` of each face in pixels: float32 (N, 4)."""
        return np.array([face.box for face in self.faces], np.float32).reshape(-1, 4)

    @property
    def scores(self) -> NDArray[np.float32]:
        """Detection score of each face, in [0, 1], NaN for none: float32 (N,)."""
        return np.array([np.nan if face.detection_score is None else face.detection_score for face in self], np.float32)

    @property
    def labels(self) -> NDArray[np.str_]:
        """Label of each face: an array of str (N,)."""
        return np.array([face.label for face in self.faces], np.str_)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values in the schema ``maskcheck/1``; ``time`` and ``notes`` are there if there are any."""
        error = None
        if self.error is not None:
            error = {"type": type(self.error).__name__, "message": str(self.error)}
        line: dict[str, Any] = {
            "schema": SCHEMA,
            "source": self.source,
            "frame": self.frame,
            "width": self.size[0],
            "height": self.size[1],
            "faces": [face.to_dict() for face in self.faces],
            "timings_ms": self.timings.to_dict(),
            "error": error,
        }
        if self.time is not None:
            line["time"] = _rounded(self.time)
        if self.notes:
            line["notes"] = list(self.notes)
        return line

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
        probabilities = [[face.probabilities[label] for label in places] for face in self.faces]
        return Detections(
            xyxy=self.boxes,
            confidence=np.array([face.confidence for face in self.faces], np.float32),
            class_id=np.array([places[face.label] for face in self.faces], int),
            data={
                "class_name": self.labels,
                "detection_score": self.scores,
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


def _rounded(value: float, digits: int = 6) -> float:
    """As a float of Python, also where the caller's number is one of numpy."""
    return round(float(value), digits)


def _limits_of(size: tuple[int, int]) -> DecodingLimits:
    """Limits that let the picture of a result pass again, whatever size was allowed when it was decoded."""
    return replace(
        DEFAULT_LIMITS,
        max_pixels=max(DEFAULT_LIMITS.max_pixels, size[0] * size[1]),
        max_side=max(DEFAULT_LIMITS.max_side, *size),
    )
