"""Running a detector, which may do anything: what it gives is checked, and whatever it raises names it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import DEFAULT_BATCH_SIZE, Detections, Detector
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.errors import MaskCheckError, PluginError
from maskcheck.pictures.decoding import BGRImage
from maskcheck.stages import StageDescription

_ROUNDING = 0.01
"""Pixels by which a detector's boxes may leave the picture: what float32 loses in scaling."""

_FEW_PIXELS = 8
"""In a picture with a side of so few pixels, a box of a single pixel may be right."""


def run_detector(detector: Detector, pixels: BGRImage, *, name: str) -> Detections:
    """Find the faces of one picture.

    Args:
        detector: What looks for them; it is given a view that it cannot write to.
        pixels: uint8 (H, W, 3), BGR.
        name: Of the detector, for messages.

    Raises:
        PluginError: The detector raised something, ``SystemExit`` too, or gave no faces of this picture.
        MaskCheckError: What the detector raised, if it is one.
    """
    labels = detector_labels(detector, name=name)
    with _as_plugin_error(name, f"failed on a picture of shape {pixels.shape}"):
        detections: object = detector.detect(_read_only(pixels))
    return _checked(detections, pixels, labels, name, "detect() to return Detections")


def run_detector_batch(detector: Detector, images: Sequence[BGRImage], *, name: str) -> list[Detections]:
    """Find the faces of several pictures of one size, as many at once as the detector wants.

    A detector without batches gets one picture after the other. A picture on which the detector fails costs all of
    them; :func:`run_detector`, called for each, then says which it was.

    Args:
        detector: What looks for faces; it is given views that it cannot write to.
        images: Pictures of one size, each uint8 (H, W, 3), BGR.
        name: Of the detector, for messages.

    Returns:
        The faces of each picture, in the same order.

    Raises:
        PluginError: The detector raised something, ``SystemExit`` too, or gave no faces of these pictures.
        MaskCheckError: What the detector raised, if it is one.
    """
    most = detector_batch_size(detector, name=name)
    if most == 1 or len(images) == 1:
        return [run_detector(detector, image, name=name) for image in images]
    labels = detector_labels(detector, name=name)
    detections: list[Detections] = []
    for start in range(0, len(images), most):
        detections += _run_batch(detector, images[start : start + most], labels, name)
    return detections


def detector_batch_size(detector: Detector, *, name: str | None = None) -> int:
    """Most pictures that a detector wants at once; 1 if it has no method ``detect_batch``.

    Args:
        detector: The detector.
        name: Of the detector, for messages; by default, that of its class.

    Raises:
        PluginError: Its attribute ``batch_size`` is no whole number from 1.
    """
    name = name or type(detector).__name__
    if getattr(detector, "detect_batch", None) is None:
        return 1
    with _as_plugin_error(name, "cannot say its batch_size"):
        size = getattr(detector, "batch_size", DEFAULT_BATCH_SIZE)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise PluginError(
            f"detector {name}: expected batch_size to be a whole number from 1, got {size!r}", plugin=name
        )
    return size


def detector_labels(detector: Detector, *, name: str | None = None) -> tuple[str, ...] | None:
    """The labels whose probabilities a detector gives with each face; None if it gives faces alone.

    Args:
        detector: The detector.
        name: Of the detector, for messages; by default, that of its class.

    Raises:
        PluginError: Its attribute ``labels`` is no tuple of distinct texts.
    """
    name = name or type(detector).__name__
    with _as_plugin_error(name, "cannot say its labels"):
        labels = getattr(detector, "labels", None)
    if labels is None:
        return None
    texts = isinstance(labels, tuple) and all(isinstance(label, str) and label for label in labels)
    if not texts or not labels or len(set(labels)) < len(labels):
        raise PluginError(
            f"detector {name}: expected labels to be a tuple of distinct texts, got {labels!r}", plugin=name
        )
    return tuple(labels)


def detector_min_score(detector: Detector, spec: DetectorSpec | None = None, *, name: str | None = None) -> float:
    """Score from which a user sees a face: the detector's attribute ``default_min_score``.

    Args:
        detector: The detector.
        spec: What it was made from, if it was; its field, of version 1, counts where the detector has no attribute.
        name: Of the detector, for messages; by default, that of its class.

    Raises:
        PluginError: It is no number in [0, 1].
    """
    name = name or (type(detector).__name__ if spec is None else spec.name)
    with _as_plugin_error(name, "cannot say its default_min_score"):
        score = getattr(detector, "default_min_score", None)
    if score is None:
        return 0.0 if spec is None else float(spec.default_min_score)
    if isinstance(score, bool) or not isinstance(score, Real) or not 0 <= float(score) <= 1:
        raise PluginError(
            f"detector {name}: expected default_min_score to be a number in [0, 1], got {score!r}", plugin=name
        )
    return float(score)


def warm_up_detector(detector: Detector, *, name: str) -> None:
    """Let a detector load what it needs, if it has a method ``warm_up`` for that.

    Args:
        detector: The detector.
        name: Of the detector, for messages.

    Raises:
        PluginError: It raised something.
        MaskCheckError: What it raised, if it is one.
    """
    warm_up = getattr(detector, "warm_up", None)
    if warm_up is None:
        return
    with _as_plugin_error(name, "cannot be loaded"):
        warm_up()


def describe_detector(detector: Detector, *, name: str) -> StageDescription:
    """What a detector runs with, if it has a method ``describe`` for that; else an empty description.

    Args:
        detector: The detector.
        name: Of the detector, for messages.

    Raises:
        PluginError: It raised something, or gave something else.
        MaskCheckError: What it raised, if it is one.
    """
    describe = getattr(detector, "describe", None)
    if describe is None:
        return StageDescription()
    with _as_plugin_error(name, "cannot be described"):
        description = describe()
    if not isinstance(description, StageDescription):
        raise PluginError(
            f"detector {name}: expected describe() to return a StageDescription, got {type(description).__name__}",
            plugin=name,
        )
    return description


def described(error: BaseException) -> str:
    """Kind and text of an error; the kind alone if its text cannot be read."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def are_shares(boxes: NDArray[np.floating], pixels: BGRImage) -> bool:
    """Whether boxes are from 0 to 1, on a picture where that can hardly mean pixels.

    Args:
        boxes: (N, 4).
        pixels: uint8 (H, W, 3).
    """
    if min(pixels.shape[:2]) <= _FEW_PIXELS or len(boxes) == 0:
        return False
    return bool(boxes.max() <= 1 and boxes.min() >= 0)


def _run_batch(
    detector: Detector, images: Sequence[BGRImage], labels: tuple[str, ...] | None, name: str
) -> list[Detections]:
    batch: Any = detector  # whose detect_batch is optional
    with _as_plugin_error(name, f"failed on {len(images)} pictures of shape {images[0].shape}"):
        detections: object = batch.detect_batch([_read_only(image) for image in images])
    if not isinstance(detections, (list, tuple)) or len(detections) != len(images):
        got = f"{len(detections)} of them" if isinstance(detections, (list, tuple)) else type(detections).__name__
        raise PluginError(
            f"detector {name}: expected detect_batch() to return a list of Detections, one for each of"
            f" {len(images)} pictures, got {got}",
            plugin=name,
        )
    wanted = "detect_batch() to return a list of Detections"
    return [_checked(faces, image, labels, name, wanted) for faces, image in zip(detections, images, strict=True)]


def _read_only(pixels: BGRImage) -> BGRImage:
    view = pixels.view()
    view.flags.writeable = False
    return view


@contextmanager
def _as_plugin_error(name: str, problem: str) -> Iterator[None]:
    """Whatever a detector raises becomes a PluginError that names it, so that the other pictures go on."""
    try:
        yield
    except (MaskCheckError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if of_signal_handler(error):  # the host's own, which happened to come now
            raise
        hint = "; a detector must not change the picture: it should work on a copy" if _wrote(error) else ""
        raise PluginError(f"detector {name} {problem}: {described(error)}{hint}", plugin=name) from error


def _checked(
    detections: object, pixels: BGRImage, labels: tuple[str, ...] | None, name: str, wanted: str
) -> Detections:
    """What a detector gave for a picture, if it is faces of that picture.

    Raises:
        PluginError: It is not.
    """
    if not isinstance(detections, Detections):
        raise PluginError(f"detector {name}: expected {wanted}, got {type(detections).__name__}", plugin=name)
    _check_boxes(detections.boxes, pixels, name)
    _check_probabilities(detections, labels, name)
    return detections


def _check_probabilities(detections: Detections, labels: tuple[str, ...] | None, name: str) -> None:
    rows = detections.probabilities
    if labels is None:
        if rows is not None:
            raise PluginError(
                f"detector {name}: expected no probabilities from a detector without labels, got them for"
                f" {rows.shape[1]} labels; it should name these in its attribute labels, a tuple of texts",
                plugin=name,
            )
        return
    if len(detections) == 0:
        return
    if rows is None or rows.shape[1] != len(labels):
        got = "none" if rows is None else f"those of {rows.shape[1]} labels"
        raise PluginError(
            f"detector {name}: expected probabilities of its {len(labels)} labels ({', '.join(labels)}) for each face,"
            f" got {got}",
            plugin=name,
        )


def _check_boxes(boxes: NDArray[np.float32], pixels: BGRImage, name: str) -> None:
    height, width = pixels.shape[:2]
    beyond = ((boxes < -_ROUNDING) | (boxes > np.array([width, height] * 2) + _ROUNDING)).any(axis=1)
    if beyond.any():
        index = int(np.flatnonzero(beyond)[0])
        raise PluginError(
            f"detector {name}: expected boxes inside the picture of {width} x {height} pixels,"
            f" got boxes[{index}] = {boxes[index].tolist()}; it should return what Detections.clipped gives",
            plugin=name,
        )
    # What is left of a face that only touches the corner, at (0, 0), may be that small.
    if are_shares(boxes, pixels) and boxes[:, :2].any():
        raise PluginError(
            f"detector {name}: expected boxes in pixels of the picture of {width} x {height}, got boxes from 0 to 1"
            f" such as {boxes[0].tolist()}; it seems to give shares of the picture, which it should multiply by the"
            " width and height",
            plugin=name,
        )


def _wrote(error: BaseException) -> bool:
    return any(word in described(error).lower() for word in ("read-only", "readonly", "marked as output argument"))


def of_signal_handler(error: BaseException) -> bool:
    """Whether a signal handler of the host raised it; Python runs those in the main thread, wherever that is."""
    if threading.current_thread() is not threading.main_thread():
        return False
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in handlers:
            return True
        step = step.tb_next
    return False


def _code(handler: object) -> CodeType | None:
    if not callable(handler):  # none, or one of the system's
        return None
    for function in (handler, getattr(handler, "__func__", None), vars(type(handler)).get("__call__")):
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
