"""Live sources against servers of other projects: RTSP by GStreamer, MPEG-TS by FFmpeg. They skip where absent."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from processes import hls_process, mpegts_process, rtsp_process
from waiting import wait_until
from watched_reader import WatchedReader

from maskcheck.errors import SourceError
from maskcheck_bench.live.camera_process import ServerProcess, free_port

pytest.importorskip("av")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows freezes no process by a signal")


@pytest.fixture
def rtsp() -> Iterator[ServerProcess]:
    with rtsp_process(free_port(), "admin:open-sesame") as process:
        yield process


def url(rtsp: ServerProcess, path: str = "camera", login: str = "admin:open-sesame@") -> str:
    return f"rtsp://{login}127.0.0.1:{rtsp.port}/{path}"


@pytest.mark.parametrize("path", ["camera", "jpeg"])
def test_rtsp_gives_frames(rtsp: ServerProcess, path: str) -> None:
    with WatchedReader(url(rtsp, path)) as watched:
        watched.wait_for_frames(10)
        info = watched.reader.info
    assert info is not None
    assert info.size == (320, 240)
    assert info.codec == ("h264" if path == "camera" else "mjpeg")
    image = np.asarray(watched.frames[-1].image)
    assert image.shape == (240, 320, 3)
    # GStreamer's test picture begins with bars of white, yellow and cyan.
    assert image[50, 20].min() > 150
    assert image[50, 65, 0] < 100 < image[50, 65, 1]  # BGR: yellow has no blue
    assert image[50, 115, 2] < 100 < image[50, 115, 0]
    assert watched.frames[0].source == f"rtsp://admin:***@127.0.0.1:{rtsp.port}/{path}"


def test_an_rtsp_server_that_is_killed_and_started_again_is_found(rtsp: ServerProcess) -> None:
    with WatchedReader(url(rtsp)) as watched:
        watched.wait_for_frames()
        rtsp.kill()
        watched.wait_for_phase("lost")
        wait_until(lambda: "refused" in watched.states[-1].reason, "an attempt that is refused")
        rtsp.start()
        watched.wait_for_frames()
    assert watched.error is None


@posix
def test_an_rtsp_server_that_is_frozen_is_lost_after_the_read_timeout_and_found_again(rtsp: ServerProcess) -> None:
    with WatchedReader(url(rtsp), read_timeout=0.5, open_timeout=2) as watched:
        watched.wait_for_frames()
        rtsp.freeze()
        assert watched.wait_for_phase("lost").reason == "no data for 0.5 s"
        wait_until(lambda: "no answer in 2 s" in watched.states[-1].reason, "an open time-out")
        rtsp.thaw()
        watched.wait_for_frames()
    assert watched.error is None


@pytest.mark.parametrize(
    ("path", "login", "words"),
    [
        ("none", "admin:open-sesame@", "(404)"),
        ("camera", "", "password"),
        ("camera", "admin:wrong@", "password"),
        ("sound", "admin:open-sesame@", "no video"),
    ],
)
def test_what_rtsp_refuses_is_an_error_at_once(rtsp: ServerProcess, path: str, login: str, words: str) -> None:
    with WatchedReader(url(rtsp, path, login), open_timeout=60) as watched:
        error = watched.wait_for_end()
    assert isinstance(error, SourceError)
    assert words in str(error)
    assert "wrong" not in str(error)
    assert watched.phases() == ["connecting", "ended"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:PORT/", "udp://127.0.0.1:PORT"])
def test_mpeg_ts_that_is_cut_and_comes_back_goes_on(address: str) -> None:
    port = free_port()
    address = address.replace("PORT", str(port))
    server = mpegts_process(address, port)
    try:
        server.start()
        with WatchedReader(address, read_timeout=1, open_timeout=5, wait_for_start=True) as watched:
            watched.wait_for_frames(5)
            info = watched.reader.info
            server.kill()
            watched.wait_for_phase("lost")
            server.start()
            watched.wait_for_frames(5)
    finally:
        server.kill()
    assert info is not None
    assert (info.size, info.codec) == ((320, 240), "mpeg2video")
    assert watched.error is None


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_hls_that_comes_in_segments_plays_at_its_pace_and_is_lost_when_no_more_come(tmp_path: Path) -> None:
    with (
        hls_process(tmp_path) as program,
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=tmp_path)) as server,
    ):
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            wait_until(lambda: len(list(tmp_path.glob("*.ts"))) >= 3, "segments")
            address = f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"
            with WatchedReader(address, read_timeout=1.5, open_timeout=10) as watched:
                watched.wait_for_frames(20)
                nineteen = watched.frames[19]
                program.kill()
                assert watched.wait_for_phase("lost").reason == "no data for 1.5 s"
        finally:
            server.shutdown()
            serving.join()
    # A segment holds 25 frames, and is there in a few milliseconds: without a pace, most would be missed.
    assert nineteen.index <= 35
    assert nineteen.time is not None
    assert nineteen.time > 0.5 * 19 / 25
