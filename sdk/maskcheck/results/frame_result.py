"""The result of a picture or video frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from maskcheck import errors
from maskcheck.errors import MaskCheckError, PackageNotInstalled
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.pictures.drawing import draw_faces
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.results.face import Face
from maskcheck.results.fields import Fields
from maskcheck.results.receipt import Receipt

if TYPE_CHECKING:
    import supervision

SCHEMA = "maskcheck/1"
UNSURE = "unsure"
"""What a face counts as if its confidence is lower than asked for. It is never a label in the JSON."""


@dataclass(frozen=True)
class Timings:
    """Time that a picture took, in milliseconds.

    Attributes:
        decode: From file to pixels.
        detect: Finding faces.
        classify: Cropping and classifying; of a batch of several pictures, the share of this picture's faces.
        total: Sum of the above.
        wait: Between finding the faces and classifying them: for other pictures of the batch, and for the classifier.
            It is no work: neither in the total nor in the JSON.
    """

    decode: float = 0.0
    detect: float = 0.0
    classify: float = 0.0
    wait: float = field(default=0.0, compare=False)

    @property
    def total(self) -> float:
        """Sum of all stages."""
        return self.decode + self.detect + self.classify

    def to_dict(self) -> dict[str, float]:
        """As JSON-ready values."""
        stages = {"decode": self.decode, "detect": self.detect, "classify": self.classify, "total": self.total}
        return {stage: round(value, 3) for stage, value in stages.items()}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Timings from their JSON.

        Raises:
            ValueError: A field is missing or has a value of another kind.
        """
        return cls(*(fields.number(stage) for stage in ("decode", "detect", "classify")))


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
            line["time"] = round(float(self.time), 6)
        if self.notes:
            line["notes"] = list(self.notes)
        return line

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Self:
        """The result that :meth:`to_dict` gave, from a line of JSON; keys that it does not know are ignored.

        The JSON has rounded numbers and boxes on whole pixels, and neither receipt nor pixels. An error is of its class
        in :mod:`maskcheck.errors`, else a :class:`MaskCheckError`; attributes that the JSON lacks are None.

        Args:
            line: As :func:`json.loads` gives it.

        Raises:
            ValueError: Another schema, or a field is missing or has a value of another kind.
        """
        fields = Fields(line)
        fields.check_schema(SCHEMA)
        source = fields.optional("source", fields.text)
        error = fields.optional("error", fields.object)
        return cls(
            faces=tuple(map(Face.from_fields, fields.objects("faces"))),
            size=(fields.size("width"), fields.size("height")),
            timings=Timings.from_fields(fields.object("timings_ms")),
            source=source,
            frame=fields.size("frame"),
            time=fields.optional("time", fields.number),
            notes=fields.optional("notes", fields.texts) or (),
            error=None if error is None else _error(error, source),
        )

    def draw(
        self, image: ImageLike | None = None, *, min_confidence: float = 0.0, limits: DecodingLimits | None = None
    ) -> BGRImage:
        """The picture with a box and a label for each face.

        Args:
            image: The picture that this is the result of; it is not changed. By default, the pixels that the result
                holds.
            min_confidence: A face of lower confidence is drawn in grey, with the caption ``unsure``.
            limits: What decoding the picture may cost; by default, the SDK's limits, and the size of this result.

        Returns:
            A new array: uint8 (H, W, 3), BGR.

        Raises:
            ImageError: The picture cannot be decoded.
            ValueError: The picture has another size, so it is another picture; or there is no picture.
        """
        if image is None:
            if self.image is None:
                raise ValueError("expected the picture, as this result holds no pixels: pass its file or its array")
            return draw_faces(self.image, self.faces, min_confidence=min_confidence)
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
        int (N,) the label's place among the model's labels. ``tracker_id`` is int (N,) if every face has a track,
        else None. ``data`` has ``class_name`` (N,), ``detection_score`` and
        ``face``, both float32 (N,), NaN where there is none, and ``probabilities`` float32 (N, labels).

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
        tracks = [face.track_id for face in self.faces]
        probabilities = [[face.probabilities[label] for label in places] for face in self.faces]
        return Detections(
            xyxy=self.boxes,
            confidence=np.array([face.confidence for face in self.faces], np.float32),
            class_id=np.array([places[face.label] for face in self.faces], int),
            tracker_id=None if None in tracks else np.array(tracks, int),
            data={
                "class_name": self.labels,
                "detection_score": self.scores,
                "face": np.array([np.nan if face.face is None else face.face for face in self.faces], np.float32),
                "probabilities": np.array(probabilities, np.float32),
            },
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """What a notebook displays: the annotated picture if its pixels or its file are at hand, else a table.

        The file is read again; if it is gone, or has another size now, there is the table.
        """
        from maskcheck.pictures.drawing.notebook_display import as_jpeg, as_table

        picture = None
        file = self.source if self.frame == 0 else None
        if self.error is None and (self.image is not None or file is not None):
            with suppress(MaskCheckError, ValueError, OSError):
                picture = as_jpeg(self.draw(None if self.image is not None else file))
        if picture is not None:
            return {"image/jpeg": picture}
        return {"text/html": as_table(self.to_dict())}


def count_labels(results: Iterable[FrameResult], *, min_confidence: float = 0.0) -> Counter[str]:
    """How many faces have each label; a face whose confidence is below `min_confidence` counts as ``unsure``."""
    return Counter(UNSURE if face.confidence < min_confidence else face.label for result in results for face in result)


def _error(fields: Fields, source: str | None) -> MaskCheckError:
    kind = getattr(errors, fields.text("type"), None)
    if not (isinstance(kind, type) and issubclass(kind, MaskCheckError)):
        kind = MaskCheckError
    message = fields.text("message")
    # Not by calling the class: it requires attributes that the JSON does not have.
    error = kind.__new__(kind, message)
    error.args = (message,)
    for parameter in signature(kind.__init__).parameters.values():
        if parameter.kind is Parameter.KEYWORD_ONLY:
            setattr(error, parameter.name, source if parameter.name == "source" else None)
    return error


def _limits_of(size: tuple[int, int]) -> DecodingLimits:
    """The SDK's limits, raised where the picture of a result needs it: it was decoded before, with other limits."""
    return replace(
        DEFAULT_LIMITS,
        max_pixels=max(DEFAULT_LIMITS.max_pixels, size[0] * size[1]),
        max_side=max(DEFAULT_LIMITS.max_side, *size),
    )
