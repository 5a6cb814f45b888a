"""Cameras of this machine, with an object in place of OpenCV's that gives pictures: no machine of the tests has one."""

from __future__ import annotations

import sys
import threading

import cv2
import numpy as np
import pytest
from waiting import wait_until
from watched_reader import WatchedReader

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.live import LiveReader, cameras


class FakeCapture:
    """A camera that is there or not, and can be pulled out."""

    def __init__(self, hub: FakeHub) -> None:
        self._hub = hub

    def isOpened(self) -> bool:  # noqa: N802
        return self._hub.plugged_in

    def read(self) -> tuple[bool, BGRImage | None]:
        self._hub.pace.wait(0.005)
        if not self._hub.plugged_in:
            return False, None
        return True, np.full((48, 64, 3), (200, 100, 50), np.uint8)

    def get(self, prop: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 64.0, cv2.CAP_PROP_FRAME_HEIGHT: 48.0, cv2.CAP_PROP_FPS: 30.0}.get(prop, 0.0)

    def set(self, prop: int, value: float) -> bool:
        del prop, value
        return False

    def release(self) -> None:
        self._hub.released += 1


class FakeHub:
    """Where cameras are plugged in."""

    def __init__(self) -> None:
        self.plugged_in = True
        self.opened: list[int] = []
        self.released = 0
        self.pace = threading.Event()

    def open(self, index: int) -> FakeCapture:
        self.opened.append(index)
        return FakeCapture(self)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    hub = FakeHub()
    monkeypatch.setattr(cameras, "open_capture", hub.open)
    monkeypatch.setattr(cameras, "camera_missing", lambda _index: None)
    return hub


@pytest.mark.parametrize("address", [3, "3", "/dev/video3"])
def test_a_camera_gives_bgr_frames(hub: FakeHub, address: str | int) -> None:
    with LiveReader(address) as reader:
        frames = [frame for frame, _ in zip(reader, range(3), strict=False)]
        assert reader.info is not None
        assert (reader.info.size, reader.info.frame_rate) == ((64, 48), 30)
    assert [np.asarray(frame.image)[0, 0].tolist() for frame in frames] == [[200, 100, 50]] * 3
    assert frames[0].source == str(address)
    assert hub.opened == [3]
    wait_until(lambda: hub.released == 1, "the camera is given back")


def test_a_camera_that_is_pulled_out_and_plugged_in_goes_on(hub: FakeHub) -> None:
    with WatchedReader(0) as watched:
        watched.wait_for_frames()
        hub.plugged_in = False
        assert watched.wait_for_phase("lost").reason == "the camera gives no pictures"
        wait_until(lambda: "cannot be opened" in watched.states[-1].reason, "an attempt without the camera")
        hub.plugged_in = True
        watched.wait_for_frames()
    assert watched.error is None
    wait_until(lambda: hub.released == len(hub.opened), "all cameras are given back")


def test_a_camera_that_cannot_be_opened_is_an_error_at_once(hub: FakeHub) -> None:
    hub.plugged_in = False
    with pytest.raises(SourceError, match="camera 0 cannot be opened") as caught:
        list(LiveReader(0))
    assert caught.value.source == "0"
    assert len(hub.opened) == 1


@pytest.mark.usefixtures("hub")
def test_pictures_of_a_camera_have_the_limits_of_others() -> None:
    with pytest.raises(SourceError, match="64 x 48 pixels"):
        list(LiveReader(0, limits=DecodingLimits(max_pixels=3000)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, only OpenCV knows which cameras there are")
def test_a_camera_that_does_not_exist_is_an_error_at_once_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"there is no camera 999 \(/dev/video999\)"):
        list(LiveReader(999))
    with pytest.raises(SourceError, match=r"there is no camera 999 \(/dev/video999\)"):
        list(LiveReader("/dev/video999"))
    assert capfd.readouterr() == ("", "")
