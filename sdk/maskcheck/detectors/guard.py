"""Running a detector, which may do anything: what it gives is checked, and whatever it raises names it."""

from __future__ import annotations

import signal
import threading
from types import CodeType

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections, Detector
from maskcheck.errors import MaskCheckError, PluginError
from maskcheck.pictures.decoding import BGRImage

_ROUNDING = 0.01
"""By how much a detector's boxes may leave the picture, in pixels: what float32 loses in scaling."""

_FEW_PIXELS = 8
"""Side of a picture up to which a box of one pixel may be meant."""


def run_detector(detector: Detector, pixels: BGRImage, *, name: str) -> Detections:
    """Find faces.

    Args:
        detector: What looks for them; it is given a view that it cannot write to.
        pixels: uint8 (H, W, 3), BGR.
        name: Of the detector, for messages.

    Raises:
        PluginError: The detector raised something, ``SystemExit`` too, or gave no faces of this picture.
        MaskCheckError: What the detector raised, if it is one.
    """
    view = pixels.view()
    view.flags.writeable = False
    try:
        detections = detector.detect(view)
    except (MaskCheckError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a plugin may raise anything; the other pictures go on
        if _of_signal_handler(error):  # the host's own, which happened to come now
            raise
        hint = "; a detector must not change the picture: it should work on a copy" if _wrote(error) else ""
        raise PluginError(
            f"detector {name} failed on a picture of shape {pixels.shape}: {described(error)}{hint}", plugin=name
        ) from error
    if not isinstance(detections, Detections):
        raise PluginError(
            f"detector {name}: expected detect() to return Detections, got {type(detections).__name__}", plugin=name
        )
    _check_boxes(detections.boxes, pixels, name)
    return detections


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
    try:
        warm_up()
    except (MaskCheckError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if _of_signal_handler(error):
            raise
        raise PluginError(f"detector {name} cannot be loaded: {described(error)}", plugin=name) from error


def described(error: BaseException) -> str:
    """Kind and text of an error, even of one that cannot say its text."""
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


def _of_signal_handler(error: BaseException) -> bool:
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
    for one in (handler, getattr(handler, "__func__", None), vars(type(handler)).get("__call__")):
        code = getattr(one, "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None
