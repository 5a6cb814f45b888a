"""Connections to the cameras of this machine, by OpenCV, whose wheels read them on Linux, macOS and Windows."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol

import cv2
import numpy as np

from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.live.connection import Connect, Connection, ConnectionFailure, Hope, Picture, check_size
from maskcheck.sources.reader import VideoInfo


class Capture(Protocol):
    """What this module uses of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool:  # noqa: D102, N802
        ...

    def read(self) -> tuple[bool, BGRImage | None]:  # noqa: D102
        ...

    def get(self, prop: int) -> float:  # noqa: D102
        ...

    def set(self, prop: int, value: float) -> bool:  # noqa: D102
        ...

    def release(self) -> None:  # noqa: D102
        ...


def camera_index(address: str | int) -> int | None:
    """The number of the camera that an address means: ``0``, ``"0"`` or ``/dev/video0``; None for another address."""
    if isinstance(address, int) and not isinstance(address, bool) and address >= 0:
        return address
    match = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", str(address))
    return int(match[1]) if match else None


def camera_opener(index: int, limits: DecodingLimits) -> Connect:
    """What connects to the camera of this number."""
    return partial(_connect, index, limits)


def open_capture(index: int) -> Capture:
    """The camera of this number, by OpenCV; `isOpened` says whether there is one."""
    capture: Capture = cv2.VideoCapture(index)  # type: ignore[assignment]
    return capture


def camera_missing(index: int) -> str | None:
    """Why there is no camera of this number; None if there may be one.

    OpenCV would say so on standard error, in its own words.
    """
    if sys.platform != "linux" or Path(f"/dev/video{index}").exists():
        return None
    present = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video[0-9]*"))
    found = f"there are {', '.join(present)}" if present else "this machine has none"
    return f"there is no camera {index} (/dev/video{index}); {found}"


def _connect(index: int, limits: DecodingLimits) -> Connection:
    if missing := camera_missing(index):
        raise ConnectionFailure(missing, Hope.AFTER_CORRECTION)
    capture = open_capture(index)
    if not capture.isOpened():
        capture.release()
        raise ConnectionFailure(
            f"camera {index} cannot be opened: there is none of this number, another program uses it, or this program"
            " may not use it",
            Hope.AFTER_CORRECTION,
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # not all cameras can
    return CameraConnection(capture, limits)


class CameraConnection(Connection):
    """A camera that is open."""

    def __init__(self, capture: Capture, limits: DecodingLimits) -> None:
        self._capture = capture
        self._limits = limits
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.info = VideoInfo(
            size=(round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))),
            frame_rate=rate if 0 < rate < 1000 else None,
        )

    def receive(self) -> Picture:
        """The next picture of the camera."""
        began = monotonic()
        there, image = self._capture.read()
        if not there or image is None:
            waited = monotonic() - began
            raise ConnectionFailure(
                f"the camera gave no picture for {waited:.0f} s" if waited >= 1 else "the camera gives no pictures"
            )
        height, width = image.shape[:2]
        check_size(width, height, self._limits)
        if (width, height) != self.info.size:
            self.info = VideoInfo((width, height), frame_rate=self.info.frame_rate)
        return partial(np.asarray, image, np.uint8)

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()
