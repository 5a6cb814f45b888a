"""Live sources against a camera that is a process of its own: killed, frozen, and started again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from waiting import wait_until
from watched_reader import WatchedReader

from maskcheck.errors import SourceError
from maskcheck.sources.live import LiveReader
from maskcheck_bench.live.camera_process import ServerProcess, camera_process, free_port
from maskcheck_bench.live.marked_pictures import number_in

pytest.importorskip("av")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows freezes no process by a signal")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def camera(port: int) -> Iterator[ServerProcess]:
    with camera_process(port) as process:
        yield process


@pytest.fixture
def address(camera: ServerProcess) -> str:
    return f"http://127.0.0.1:{camera.port}/camera"


def test_frames_come_in_their_own_time_with_their_number(address: str) -> None:
    with LiveReader(address) as reader:
        frames = [frame for frame, _ in zip(reader, range(10), strict=False)]
    for frame in frames:
        assert isinstance(frame.image, np.ndarray)
        assert frame.image.shape == (360, 640, 3)
        assert frame.image.dtype == np.uint8
        left, right = frame.image[200, 100], frame.image[200, 500]
        assert left[0] > 150 > left[2]  # BGR: blue on the left
        assert right[2] > 150 > right[0]
    assert frames[0].index == 0
    assert frames[0].time == 0
    assert {frame.source for frame in frames} == {address}
    numbers = [number_in(np.asarray(frame.image)) for frame in frames]
    assert [frame.index for frame in frames] == [number - numbers[0] for number in numbers]
    assert reader.info is not None
    assert reader.info.size == (640, 360)
    assert reader.info.frame_rate is None  # FFmpeg's 25 is made up
    # By the clock of this machine: ten frames of a camera with 30 a second.
    last = frames[-1]
    assert last.time is not None
    assert last.time >= 0.5 * last.index / 30


def test_a_slow_caller_gets_the_newest_frame_and_knows_how_many_it_missed(address: str) -> None:
    with LiveReader(address) as reader:
        frames = iter(reader)
        first = next(frames)
        wait_until(lambda: reader.received >= 20, "20 frames")
        second = next(frames)
        third = next(frames)
        assert first.index == 0
        assert second.index >= 19
        assert third.index > second.index
        assert second.time is not None
        assert second.time > 0.3
        assert reader.dropped >= 18
        assert reader.received >= third.index + 1


def test_a_camera_that_is_killed_and_started_again_goes_on(address: str, camera: ServerProcess) -> None:
    with WatchedReader(address) as watched:
        watched.wait_for_frames()
        camera.kill()
        lost = watched.wait_for_phase("lost")
        assert lost.reason == "the server closed the connection"
        wait_until(lambda: "connection refused" in str(watched.states[-1]), "an attempt that is refused")
        before = watched.frames[-1]
        camera.start()
        watched.wait_for_frames()
        after = watched.frames[-1]
        assert after.index > before.index
        assert before.time is not None
        assert after.time is not None
        assert after.time > before.time
    phases = watched.phases()
    assert phases[:4] == ["connecting", "connected", "lost", "retrying"]
    assert phases[-2:] == ["connected", "ended"]
    assert watched.error is None


@posix
def test_a_frozen_camera_is_lost_after_the_read_timeout_and_found_when_it_goes_on(
    address: str, camera: ServerProcess
) -> None:
    with WatchedReader(address, read_timeout=0.5, open_timeout=0.5, wait_for_start=True) as watched:
        watched.wait_for_frames()
        camera.freeze()
        assert watched.wait_for_phase("lost").reason == "no data for 0.5 s"
        # The system takes connections on behalf of a frozen process.
        wait_until(lambda: "no answer in 0.5 s" in {state.reason for state in watched.states}, "an open time-out")
        camera.thaw()
        watched.wait_for_frames()
    assert watched.error is None


def test_without_reconnect_the_first_disconnect_is_an_error(address: str, camera: ServerProcess) -> None:
    with WatchedReader(address, reconnect=False) as watched:
        watched.wait_for_frames()
        camera.kill()
        error = watched.wait_for_end()
    assert isinstance(error, SourceError)
    assert str(error) == f"{address}: the server closed the connection"
    assert error.source == address
    assert watched.phases() == ["connecting", "connected", "lost", "ended"]


def test_a_camera_that_starts_late_is_waited_for_as_long_as_open_timeout(port: int) -> None:
    camera = camera_process(port)
    try:
        with WatchedReader(f"http://127.0.0.1:{port}/", open_timeout=30) as watched:
            watched.wait_for_phase("retrying")
            camera.start()
            watched.wait_for_frames()
    finally:
        camera.kill()


def test_a_camera_that_never_starts_is_an_error_after_open_timeout(port: int) -> None:
    with WatchedReader(f"http://127.0.0.1:{port}/", open_timeout=0.4) as watched:
        error = watched.wait_for_end()
    assert isinstance(error, SourceError)
    assert "connection refused" in str(error)


def test_waiting_for_the_start_outlasts_open_timeout(port: int) -> None:
    camera = camera_process(port)
    try:
        with WatchedReader(f"http://127.0.0.1:{port}/", open_timeout=0.3, wait_for_start=True) as watched:
            watched.wait_for_phase("retrying", 4)  # 0, 0.25, 0.5 and 1 s
            camera.start()
            watched.wait_for_frames()
    finally:
        camera.kill()


def test_close_ends_a_long_wait_for_the_next_attempt_at_once(port: int) -> None:
    with WatchedReader(f"http://127.0.0.1:{port}/", wait_for_start=True, max_retry_delay=1000) as watched:
        wait_until(lambda: any(state.retry_in >= 1 for state in watched.states), "a long delay")
        watched.reader.close()
        assert watched.wait_for_end() is None
    assert watched.phases()[-1] == "ended"


def test_a_login_that_is_refused_is_an_error_at_once_and_the_password_is_shown_nowhere(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with (
        camera_process(port, "--login", "admin:open-sesame"),
        WatchedReader(f"http://admin:sesame-wrong@127.0.0.1:{port}/camera?token=t0ps3cret") as watched,
    ):
        error = watched.wait_for_end()
    assert isinstance(error, SourceError)
    assert "password" in str(error)
    assert watched.phases() == ["connecting", "ended"]
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    told = "".join(map(repr, [*chain, *watched.states, error.source, watched.reader.name])) + caplog.text
    assert "admin:***@127.0.0.1" in told
    assert "sesame-wrong" not in told
    assert "t0ps3cret" not in told


def test_the_right_login_is_let_in(port: int) -> None:
    with (
        camera_process(port, "--login", "admin:open@sesame"),
        WatchedReader(f"http://admin:open%40sesame@127.0.0.1:{port}/camera") as watched,
    ):
        watched.wait_for_frames()
    assert watched.frames[0].source == f"http://admin:***@127.0.0.1:{port}/camera"


def test_a_change_of_state_that_the_caller_cannot_take_does_not_end_the_reader(address: str) -> None:
    def fail(state: object) -> None:
        raise ValueError(state)

    with LiveReader(address, on_state=fail) as reader:
        assert next(iter(reader)).index == 0


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@posix
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_interrupts_the_wait_for_a_frame(address: str, camera: ServerProcess) -> None:
    with LiveReader(address) as reader:
        frames = iter(reader)
        next(frames)
        camera.freeze()
        main = threading.main_thread().ident
        assert main is not None
        interrupt = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            while True:
                next(frames)


def test_an_unread_reader_and_one_that_is_closed_first_start_nothing(address: str) -> None:
    LiveReader(address).close()
    reader = LiveReader(address)
    reader.close()
    assert list(reader) == []
    assert reader.state is None


def test_a_reader_is_iterated_once(address: str) -> None:
    with LiveReader(address) as reader:
        next(iter(reader))
        with pytest.raises(RuntimeError, match="iterated once"):
            iter(reader)
