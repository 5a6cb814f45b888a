"""The window of ``--show``: on a real screen where Xvfb offers one, and with OpenCV's functions replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskcheck.errors import MaskCheckError
from maskcheck.recording import display
from maskcheck.recording.display import Window

IMAGE = np.full((90, 160, 3), 128, np.uint8)

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a screen always")


class Screen:
    """What OpenCV's functions would do."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shown = 0
        self.windows: set[str] = set()
        self.key = -1
        self.size = (0, 0)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    fake = Screen()

    def show(name: str, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        assert name in fake.windows
        assert image.size
        fake.shown += 1

    def resize(name: str, width: int, height: int) -> None:
        assert name in fake.windows
        fake.size = (width, height)

    monkeypatch.setattr(display, "_check_display", lambda: None)
    monkeypatch.setattr(display, "monotonic", lambda: fake.now)
    monkeypatch.setattr(cv2, "namedWindow", lambda name, *_: fake.windows.add(name))
    monkeypatch.setattr(cv2, "resizeWindow", resize)
    monkeypatch.setattr(cv2, "setWindowTitle", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", show)
    monkeypatch.setattr(cv2, "waitKey", lambda *_: fake.key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda name, *_: 1.0 if name in fake.windows else -1.0)
    monkeypatch.setattr(cv2, "destroyWindow", lambda name: fake.windows.discard(name))
    return fake


def test_it_shows_at_most_thirty_pictures_a_second(screen: Screen) -> None:
    with Window("a.mp4") as window:
        for frame in range(1000):
            screen.now = frame / 500
            assert window.show(IMAGE)

    assert screen.shown == pytest.approx(60, abs=3)
    assert not screen.windows


@pytest.mark.parametrize("key", [ord("q"), 27, 27 | 0x100000])
def test_a_key_ends_it(screen: Screen, key: int) -> None:
    window = Window("a.mp4")
    assert window.show(IMAGE)

    screen.now, screen.key = 1.0, key

    assert not window.show(IMAGE)
    screen.key = -1
    assert not window.show(IMAGE)  # it stays so


def test_a_window_that_is_closed_ends_it(screen: Screen) -> None:
    window = Window("a.mp4")
    window.show(IMAGE)

    screen.windows.clear()
    screen.now = 1.0

    assert not window.show(IMAGE)
    window.close()


@pytest.mark.parametrize(
    ("size", "expected"), [((160, 90), (160, 90)), ((3840, 2160), (1280, 720)), ((1080, 1920), (405, 720))]
)
def test_the_window_fits_on_the_screen(screen: Screen, size: tuple[int, int], expected: tuple[int, int]) -> None:
    Window("a.mp4").show(np.zeros((size[1], size[0], 3), np.uint8))

    assert screen.size == expected


@needs_linux
def test_without_a_screen_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    with pytest.raises(MaskCheckError, match=r"no screen .* DISPLAY"):
        Window("a.mp4")


@needs_linux
def test_a_screen_that_is_not_there_is_an_error_and_does_not_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "localhost:6789")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    with pytest.raises(MaskCheckError, match="cannot be shown on this screen"):
        Window("a.mp4")


def test_an_opencv_without_windows_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "def namedWindow(name): raise RuntimeError('The function is not implemented. Rebuild the library with GTK')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")

    with pytest.raises(MaskCheckError, match="pip install --force-reinstall opencv-python"):
        Window("a.mp4")


@pytest.fixture
def x_server() -> Iterator[str]:
    """Address of a screen in memory."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1400x900x24"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as pipe:
                number = pipe.readline().strip()
            if not number:
                pytest.skip("Xvfb does not start here")
            yield f":{number}"
        finally:
            server.terminate()


def in_process(screen: str, *command: str) -> str:
    """What the program says that shows a picture on a screen, and runs a command until that ends it."""
    environment = {**os.environ, "DISPLAY": screen}
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *command], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOW = """
import subprocess, sys, time
import numpy as np
from maskcheck.recording.display import Window

image = np.full((90, 160, 3), 128, np.uint8)
with Window("a title") as window:
    goes_on = window.show(image)
    deadline = time.monotonic() + 30
    while goes_on and time.monotonic() < deadline:
        if sys.argv[1:]:
            subprocess.run([*sys.argv[1:]], check=False, stderr=subprocess.DEVNULL)
        else:
            break
        goes_on = window.show(image)
print(goes_on)
"""


def test_a_real_window_shows_pictures(x_server: str) -> None:
    assert in_process(x_server) == "True\n"


@pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")
def test_q_in_a_real_window_ends_it(x_server: str) -> None:
    assert in_process(x_server, "xdotool", "search", "--name", "a title", "windowfocus", "key", "q") == "False\n"
