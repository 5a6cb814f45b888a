"""``Window``: pictures on the screen, as they come."""

from __future__ import annotations

import os
import subprocess
import sys
from time import monotonic
from types import TracebackType
from typing import Self

import cv2

from maskcheck.errors import MaskCheckError
from maskcheck.pictures.decoding import BGRImage

_EVERY = 1 / 30  # seconds; screens show few more, and each costs time that the source may need
_LARGEST = (1280, 720)  # pixels: it fits on every screen, and can be made larger
_ESCAPE = 27
_PROBE = "import cv2; cv2.namedWindow('maskcheck'); cv2.destroyAllWindows()"
_PROBE_TIMEOUT = 30.0  # seconds


class Window:
    """A window that shows pictures. All calls are made by the main thread, as the toolkits of windows want it.

    It never slows the source: pictures that come faster than 30 a second are left out.

    Args:
        title: What stands above it.

    Raises:
        MaskCheckError: There is no screen, or this OpenCV has no windows.
    """

    def __init__(self, title: str) -> None:
        _check_display()
        # An address of its own: two sources may have the same title.
        self._name = f"maskcheck {id(self)}"
        self._title = title
        self._open = False
        self._ended = False
        self._shown = -_EVERY

    def show(self, image: BGRImage) -> bool:
        """Show a picture, unless the last one came just before.

        Args:
            image: uint8 (H, W, 3), BGR.

        Returns:
            Whether to go on: False once ``q`` or Escape was pressed, or the window closed.
        """
        now = monotonic()
        if self._ended or now - self._shown < _EVERY:
            return not self._ended
        self._shown = now
        if not self._open:
            self._begin(image)
        elif cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) < 1:
            self._ended = True
            return False
        cv2.imshow(self._name, image)
        self._ended = (cv2.waitKey(1) & 0xFF) in (ord("q"), _ESCAPE)
        return not self._ended

    def close(self) -> None:
        """Close the window."""
        self._ended = True
        if self._open:
            self._open = False
            try:
                cv2.destroyWindow(self._name)
            except cv2.error:  # the user closed it
                return
            cv2.waitKey(1)  # some toolkits close it only now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, image: BGRImage) -> None:
        height, width = image.shape[:2]
        scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
        cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        cv2.resizeWindow(self._name, max(1, round(width * scale)), max(1, round(height * scale)))
        cv2.setWindowTitle(self._name, self._title)
        self._open = True


def _check_display() -> None:
    """Check that a window can be opened.

    Raises:
        MaskCheckError: It cannot.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise MaskCheckError(
            "there is no screen to show pictures on: neither DISPLAY nor WAYLAND_DISPLAY is set; run it in a desktop"
            " session, or write a file instead"
        )
    if getattr(sys, "frozen", False):  # the program is not Python's
        return
    # In a process of its own: Qt ends the process where it finds no screen.
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise MaskCheckError("the screen does not answer, so pictures cannot be shown on it") from None
    if probe.returncode:
        if "not implemented" in probe.stderr:
            raise MaskCheckError(
                "this OpenCV has no windows, as opencv-python-headless has none; to show pictures, install it with:"
                " pip uninstall opencv-python-headless; pip install --force-reinstall opencv-python"
            )
        reason = next(iter(probe.stderr.strip().splitlines()), f"exit status {probe.returncode}")
        raise MaskCheckError(f"pictures cannot be shown on this screen: {reason}")
