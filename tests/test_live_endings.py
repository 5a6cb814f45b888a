"""The ends of live sources: no close waits for a server, and nothing is left behind after many cuts."""

from __future__ import annotations

import gc
import os
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from scripted_server import MJPEG_HEAD, ScriptedServer, mjpeg_part, numbered_jpeg
from waiting import wait_until
from watched_reader import WatchedReader

from maskcheck.engine.ending import stuck_threads
from maskcheck.errors import SourceError
from maskcheck.sources.live import LiveReader, LiveState, cameras

pytest.importorskip("av")
posix = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts file descriptors in /proc")


def silent(_connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
    ended.wait(30)


def endless(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
    connection.sendall(MJPEG_HEAD)
    part = mjpeg_part(numbered_jpeg(0))
    while not ended.wait(0.01):
        connection.sendall(part)


def live_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("maskcheck live")]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def native_threads() -> int:
    """Those of FFmpeg included."""
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.fixture
def garbage_is_kept() -> Iterator[None]:
    """What is only freed with garbage counts as left behind."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def no_reader_left() -> Callable[[], None]:
    """Call it to wait until the threads that the test started are gone."""
    before = set(live_threads())
    return lambda: wait_until(lambda: not set(live_threads()) - before, "no thread is left")


def test_close_from_another_thread_ends_the_iteration_while_ffmpeg_waits_for_a_server(
    no_reader_left: Callable[[], None],
) -> None:
    with ScriptedServer(silent) as server, WatchedReader(server.http, open_timeout=5) as watched:
        watched.wait_for_phase("connecting")
        wait_until(lambda: server.requests, "a request")
        began = monotonic()
        watched.reader.close()
        assert watched.wait_for_end() is None
        assert monotonic() - began < 3  # not the 5 of the time-out
        assert any(thread.name.startswith("maskcheck live") for thread in stuck_threads())
        assert watched.phases() == ["connecting", "ended"]
    no_reader_left()  # the server closed the connection


def test_close_in_the_middle_of_a_stream_leaves_no_thread(no_reader_left: Callable[[], None]) -> None:
    with ScriptedServer(endless) as server:
        with WatchedReader(server.http) as watched:
            watched.wait_for_frames()
            watched.reader.close()
            assert watched.wait_for_end() is None
        no_reader_left()


def test_an_iteration_that_is_left_closes_the_reader(no_reader_left: Callable[[], None]) -> None:
    with ScriptedServer(endless) as server:
        for frame in LiveReader(server.http):
            assert frame.index == 0
            break
        no_reader_left()


def test_a_reader_that_is_forgotten_ends(no_reader_left: Callable[[], None]) -> None:
    with ScriptedServer(endless) as server:
        frames = iter(LiveReader(server.http))
        next(frames)
        del frames
        gc.collect()
        no_reader_left()


def test_close_within_a_change_of_state(no_reader_left: Callable[[], None]) -> None:
    reader: LiveReader

    def close(state: LiveState) -> None:
        if state.phase == "connected":
            reader.close()

    with ScriptedServer(endless) as server:
        reader = LiveReader(server.http, on_state=close)
        assert list(reader) == []
        no_reader_left()


def test_a_call_that_never_returns_does_not_keep_the_iteration(
    monkeypatch: pytest.MonkeyPatch, no_reader_left: Callable[[], None]
) -> None:
    """As the look-up of a name may do, which has no time-out."""
    returns = threading.Event()

    def hang(_index: int) -> str:
        returns.wait(30)
        return "there is no camera"

    monkeypatch.setattr(cameras, "camera_missing", hang)
    with pytest.raises(SourceError, match=r"0: no frame in 0\.2 s"):
        list(LiveReader(0, open_timeout=0.2))
    assert any(thread.name.startswith("maskcheck live") for thread in stuck_threads())
    returns.set()
    no_reader_left()


@posix
@pytest.mark.usefixtures("garbage_is_kept")
def test_nothing_is_left_behind_after_fifty_cuts(no_reader_left: Callable[[], None]) -> None:
    pictures = MJPEG_HEAD + b"".join(mjpeg_part(numbered_jpeg(number)) for number in range(3))

    def cut(connection: socket.socket, _request: bytes, _ended: threading.Event) -> None:
        connection.sendall(pictures)
        # With a time to linger of 0, the client gets a reset and not an orderly end.
        linger = struct.pack("ii", len(server.requests) % 2, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with (
        ScriptedServer(cut) as server,
        WatchedReader(server.http, max_retry_delay=0.01, wait_for_start=True) as watched,
    ):
        watched.wait_for_phase("lost", 5)
        descriptors, threads = open_descriptors(), native_threads()
        watched.wait_for_phase("lost", 55)
        # A connection of this moment may be open at both of its ends, with the threads of its decoder.
        assert open_descriptors() <= descriptors + 4
        assert native_threads() <= threads + 10
        assert len(live_threads()) == 1
        reader = weakref.ref(watched.reader)
        assert watched.error is None
    no_reader_left()
    del watched
    gc.collect()
    assert reader() is None


def test_a_program_ends_while_a_reader_is_connected_or_waits(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from maskcheck.sources.live import LiveReader\n"
        "frames = iter(LiveReader(sys.argv[1]))\n"
        "next(frames)\n"
        "waiting = iter(LiveReader(sys.argv[2], wait_for_start=True, open_timeout=0.5))\n"
        "import threading\n"
        "threading.Thread(target=next, args=(waiting, None), daemon=True).start()\n"
        "print('end')\n"
    )
    with ScriptedServer(endless) as camera, ScriptedServer(silent) as no_camera:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(program), camera.http, no_camera.http],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "end", "")
