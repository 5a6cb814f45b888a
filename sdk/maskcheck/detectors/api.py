"""What a face detector is, and the hook through which a plugin offers one.

A plugin is an installed distribution with an entry point of the group ``maskcheck``. The entry point names a
module (or an object) with one function::

    from maskcheck import DetectorSpec, Detections, hookimpl

    @hookimpl
    def maskcheck_register_detectors():
        return [DetectorSpec("mine", "Finds faces my way", MyDetector, api_version=1)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pluggy
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage

PROJECT = "maskcheck"
"""Name of the pluggy project, of its marker and of the entry-point group."""

API_VERSIONS = frozenset({1, 2})
"""Versions of this interface that the host understands."""

DEFAULT_BATCH_SIZE = 8
"""Most pictures that ``detect_batch`` gets at once, of a detector that does not say."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a name may be: a colon would be that of ``distribution:name``, and brackets speak to terminals."""

_ROUNDING = 1e-3
"""By which a row of probabilities may miss 1."""

OptionValue: TypeAlias = int | float | str | bool

_hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's ``maskcheck_register_detectors``."""


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
        return Detections(
            self.boxes * np.tile(factors, 2) + np.tile(start, 2),
            self.scores,
            None if self.landmarks is None else self.landmarks * factors + start,
            self.probabilities,
        )

    def clipped(self, width: int, height: int) -> Detections:
        """The boxes cut to a picture, without those of which nothing is left. Landmarks stay where they are.

        Args:
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
        """
        boxes = np.clip(self.boxes, 0, np.array([width, height, width, height], np.float32))
        inside = np.logical_and.reduce(boxes[:, :2] < boxes[:, 2:], axis=1)
        return Detections(boxes, self.scores, self.landmarks, self.probabilities)[inside]


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


@dataclass(frozen=True)
class DetectorOption:
    """An option of a detector, set by ``--detector-option name=value`` or ``detector_options``.

    Attributes:
        name: Keyword that the factory takes.
        type: ``int``, ``float``, ``str`` or ``bool``.
        default: Value when it is not given; None if the detector then decides, by a preset, say.
        help: What it does, and its unit.
        minimum: Least value, for numbers.
        maximum: Greatest value, for numbers.
        choices: Allowed values, if they are few.
        check: Called with a value of the type; raises a ValueError that says what is allowed, where `minimum`,
            `maximum` and `choices` cannot.

    Raises:
        TypeError: `name` is no Python name, or `type` none of the four.
    """

    name: str
    type: type[int] | type[float] | type[str] | type[bool]
    default: OptionValue | None
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[OptionValue, ...] | None = None
    check: Callable[[Any], object] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise TypeError(f"DetectorOption.name: expected a Python name, got {self.name!r}")
        if self.type not in (int, float, str, bool):
            raise TypeError(f"DetectorOption.type: expected int, float, str or bool, got {self.type!r}")

    def parse(self, value: Any) -> OptionValue:
        """Turn text or a Python value into a value of the option.

        Raises:
            ValueError: It is none; the message says what is allowed.
        """
        try:
            parsed = _convert(self.type, value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"expected {self.allowed}, got {value!r}") from None
        too_low = self.minimum is not None and not isinstance(parsed, str) and parsed < self.minimum
        too_high = self.maximum is not None and not isinstance(parsed, str) and parsed > self.maximum
        if too_low or too_high or (self.choices is not None and parsed not in self.choices):
            raise ValueError(f"expected {self.allowed}, got {value!r}")
        if self.check is not None:
            self.check(parsed)
        return parsed

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices is not None:
            return "one of " + ", ".join(map(str, self.choices))
        bounds = [f">= {self.minimum:g}"] if self.minimum is not None else []
        bounds += [f"<= {self.maximum:g}"] if self.maximum is not None else []
        return " ".join([self.type.__name__, *bounds])


def _convert(kind: type[OptionValue], value: Any) -> OptionValue:
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError
        return words[str(value).lower()]
    if isinstance(value, bool):
        raise ValueError
    converted = kind(value)
    if kind is int and not isinstance(value, str) and converted != value:  # 3.5 is no whole number
        raise ValueError
    if isinstance(converted, float) and not np.isfinite(converted):
        raise ValueError
    return converted


@dataclass(frozen=True)
class DetectorSpec:
    """A detector as a plugin offers it.

    Attributes:
        name: What users type: letters, digits, ``-``, ``_`` and ``.``, the first one a letter or a digit.
        summary: One line for listings.
        factory: Makes the detector from its options, given as keywords. It should be quick: heavy things (model
            files, sessions) are for the first ``detect``.
        options: The keywords that the factory takes.
        default_min_score: In [0, 1], of version 1: detections with a lower score are not reported unless the user asks
            for them. In version 2, it is an attribute of the detector; that of a version 1 detector counts as well.
        uses_session: Whether the factory also takes the keyword ``session``, a :class:`SessionConfig` with the device,
            providers and threads that the user chose for all networks; of version 2.
        api_version: Version of this interface that the plugin was written for: 1 or 2. It has no default, which would
            be that of the host, whatever the plugin was written for.

    Raises:
        TypeError: A field of another type, or no `api_version`.
        ValueError: A name with other characters, a score that is none, or a field that this version does not have.
    """

    name: str
    summary: str
    factory: Callable[..., Detector]
    options: tuple[DetectorOption, ...] = ()
    default_min_score: float = 0.0
    uses_session: bool = False
    api_version: int = field(kw_only=True)

    def __post_init__(self) -> None:
        for name in ("name", "summary"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise TypeError(f"DetectorSpec.{name}: expected a text, got {value!r}")
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"DetectorSpec.name: expected letters, digits, '-', '_' and '.', the first one a letter or a digit,"
                f" got {self.name!r}"
            )
        if not callable(self.factory):
            raise TypeError(f"DetectorSpec.factory: expected a class or function, got {self.factory!r}")
        if not isinstance(self.options, tuple) or not all(isinstance(one, DetectorOption) for one in self.options):
            raise TypeError(f"DetectorSpec.options: expected a tuple of DetectorOption, got {self.options!r}")
        score = self.default_min_score
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            raise TypeError(f"DetectorSpec.default_min_score: expected a number, got {score!r}")
        if not 0 <= score <= 1:
            raise ValueError(f"DetectorSpec.default_min_score: expected a score in [0, 1], got {score!r}")
        if isinstance(self.api_version, bool) or not isinstance(self.api_version, int):
            raise TypeError(f"DetectorSpec.api_version: expected a whole number, got {self.api_version!r}")
        if not isinstance(self.uses_session, bool):
            raise TypeError(f"DetectorSpec.uses_session: expected True or False, got {self.uses_session!r}")
        if self.uses_session and self.api_version == 1:
            raise ValueError("DetectorSpec.uses_session: expected False in version 1; it is of api_version=2")
        if self.uses_session and any(option.name == "session" for option in self.options):
            raise ValueError("DetectorSpec.options: expected none named 'session', which uses_session=True gives")


class HookSpecs:
    """The hooks that a plugin may implement."""

    @_hookspec
    def maskcheck_register_detectors(self) -> Sequence[DetectorSpec]:  # type: ignore[empty-body]
        """Detectors that the plugin offers."""
