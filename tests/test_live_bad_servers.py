"""Live sources that stall, close, send rubbish, redirect or refuse: each ends in a clear message, none in a hang."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from scripted_server import MJPEG_HEAD, Script, ScriptedServer, mjpeg_part, numbered_jpeg, some_pictures
from watched_reader import WatchedReader

from maskcheck.errors import SourceError
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources.live import LiveReader
from maskcheck_bench.live.camera_process import free_port
from maskcheck_bench.live.marked_pictures import number_in

av = pytest.importorskip("av")


def silent(_connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
    ended.wait(30)


def closes(_connection: socket.socket, _request: bytes, _ended: threading.Event) -> None:
    pass


def answers(answer: bytes, *, keep_open: bool = False) -> Script:
    def script(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(answer)
        if keep_open:
            ended.wait(30)

    return script


def trickles(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
    """Something comes all the time, but never a picture."""
    connection.sendall(MJPEG_HEAD + b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n")
    while not ended.wait(0.02):
        connection.sendall(b"\0")


def rubbish(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
    """A stream of whole parts that are no pictures."""
    connection.sendall(some_pictures(1))
    while not ended.wait(0.01):
        connection.sendall(mjpeg_part(b"\xff\xd8 no picture \xff\xd9" * 20))


def error_of(address: str, **options: Any) -> SourceError:
    with WatchedReader(address, **options) as watched:
        error = watched.wait_for_end()
    assert isinstance(error, SourceError), error
    assert watched.phases()[-1] == "ended"
    return error


@pytest.mark.parametrize("script", [silent, trickles])
def test_a_server_without_a_picture_is_an_error_after_open_timeout(script: Script) -> None:
    began = monotonic()
    with ScriptedServer(script) as server:
        error = error_of(server.http, open_timeout=0.5)
    assert str(error) == f"{server.http}: no answer in 0.5 s"
    assert monotonic() - began < 5


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_server_that_closes_each_connection_is_an_error_after_open_timeout(scheme: str) -> None:
    with ScriptedServer(closes) as server:
        error = error_of(f"{scheme}://127.0.0.1:{server.port}/camera", open_timeout=0.5)
        assert "clos" in str(error) or "broke" in str(error)
        assert 2 <= len(server.requests) <= 4  # with delays


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x00\x01\x02 rubbish\r\n" * 500, "no video"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>" + b"<p>no camera</p>" * 500, "no video"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "there is no stream at this path (404)"),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n", "it refuses access (403)"),
        (b"HTTP/1.0 503 Busy\r\n\r\n", "the server has an error (5xx)"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "closed the connection"),
        (b"HTTP/1.0 418 I'm a teapot\r\n\r\n", "refuses the request"),
    ],
)
def test_what_is_no_stream_is_an_error_that_says_so(answer: bytes, words: str) -> None:
    with ScriptedServer(answers(answer)) as server:
        error = error_of(server.http, open_timeout=0.5)
    assert words in str(error)


def test_a_login_that_is_refused_is_tried_once() -> None:
    with ScriptedServer(answers(b'HTTP/1.0 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n')) as server:
        error = error_of(f"http://admin:wrong-one@127.0.0.1:{server.port}/", open_timeout=5, wait_for_start=True)
    assert "refuses those in the address (401)" in str(error)
    assert "wrong-one" not in str(error)
    assert len(server.requests) <= 2  # FFmpeg asks without and with the login


def test_a_login_that_is_refused_later_is_tried_again_after_a_long_time() -> None:
    answer = [some_pictures(3)]

    def script(connection: socket.socket, _request: bytes, _ended: threading.Event) -> None:
        connection.sendall(answer.pop() if answer else b"HTTP/1.0 401 No\r\n\r\n")

    with ScriptedServer(script) as server, WatchedReader(server.http, open_timeout=5) as watched:
        watched.wait_for_phase("retrying", 2)
        assert watched.states[-1].retry_in == 60
        assert "(401)" in watched.states[-1].reason


def test_a_redirect_is_followed() -> None:
    with ScriptedServer(answers(some_pictures(3), keep_open=True)) as camera:
        redirect = b"HTTP/1.0 302 Found\r\nLocation: " + camera.http.encode() + b"\r\n\r\n"
        with ScriptedServer(answers(redirect)) as server, LiveReader(server.http, open_timeout=5) as reader:
            frame = next(iter(reader))
    assert number_in(np.asarray(frame.image)) in range(3)


def test_a_redirect_in_a_circle_is_an_error() -> None:
    port = free_port()
    with ScriptedServer(
        answers(f"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\n\r\n".encode()), port
    ) as s:
        error_of(s.http, open_timeout=0.5)
        assert len(s.requests) < 50


def test_a_stall_in_the_middle_of_a_picture_is_a_disconnect() -> None:
    def script(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(some_pictures(2) + mjpeg_part(numbered_jpeg(2))[:2000])
        ended.wait(30)

    with ScriptedServer(script) as server, WatchedReader(server.http, read_timeout=0.3, open_timeout=5) as watched:
        assert watched.wait_for_phase("lost").reason == "no data for 0.3 s"
        watched.wait_for_phase("connected", 3)
    assert watched.error is None


def test_parts_that_are_no_pictures_are_a_disconnect_after_the_read_timeout() -> None:
    with ScriptedServer(rubbish) as server, WatchedReader(server.http, read_timeout=0.3, open_timeout=5) as watched:
        lost = watched.wait_for_phase("lost")
        assert lost.reason == "no picture could be decoded for 0.3 s"


def test_a_damaged_picture_is_passed_over() -> None:
    def script(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(some_pictures(1) + mjpeg_part(b"no picture at all") + mjpeg_part(numbered_jpeg(7)))
        for number in range(8, 1000):
            if ended.wait(0.02):
                return
            connection.sendall(mjpeg_part(numbered_jpeg(number)))

    with ScriptedServer(script) as server, WatchedReader(server.http, open_timeout=5) as watched:
        watched.wait_for_frames(5)
    assert watched.phases() == ["connecting", "connected", "ended"]
    assert number_in(np.asarray(watched.frames[-1].image)) >= 7


def test_a_size_that_changes_is_taken_as_it_comes() -> None:
    def script(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(MJPEG_HEAD)
        for number in range(1000):
            connection.sendall(mjpeg_part(numbered_jpeg(number, (640, 360) if number % 2 else (801, 203))))
            if ended.wait(0.02):
                return

    with ScriptedServer(script) as server, WatchedReader(server.http, open_timeout=5) as watched:
        watched.wait_for_frames(6)
    for frame in watched.frames:
        image = np.asarray(frame.image)
        assert image.shape == ((360, 640, 3) if number_in(image) % 2 else (203, 801, 3))


def test_pictures_above_the_limit_are_an_error_that_is_not_tried_again() -> None:
    with ScriptedServer(answers(some_pictures(3), keep_open=True)) as server:
        error = error_of(server.http, open_timeout=5, limits=DecodingLimits(max_pixels=640 * 360 - 1))
        assert "640 x 360" in str(error)
        assert "max_pixels" in str(error)
        error = error_of(server.http, open_timeout=5, limits=DecodingLimits(max_side=639))
        assert "640 x 360" in str(error)
        assert len(server.requests) == 2


def test_a_size_that_grows_above_the_limit_ends_the_iteration() -> None:
    answer = some_pictures(2, (512, 100)) + some_pictures(300, (500, 400))[len(MJPEG_HEAD) :]
    with ScriptedServer(answers(answer, keep_open=True)) as server:
        error = error_of(server.http, open_timeout=5, limits=DecodingLimits(max_pixels=100_000))
    assert "500 x 400" in str(error)


def test_a_video_file_at_an_address_is_no_live_source(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(100):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    with ScriptedServer(answers(answer)) as server:
        error = error_of(server.http, open_timeout=5)
    assert "it is a video of 4 s, not a live stream" in str(error)


def test_a_picture_at_an_address_is_no_live_source() -> None:
    picture = numbered_jpeg(0)
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b" % (len(picture), picture)
    with ScriptedServer(answers(answer)) as server:
        error = error_of(server.http, open_timeout=5)
    assert "it is a single picture, not a live stream" in str(error)


VARIANTS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "a part without its length": (
        MJPEG_HEAD,
        lambda jpeg: b"--picture\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n" % jpeg,
    ),
    "another boundary than the header says": (MJPEG_HEAD.replace(b"=picture", b"=x"), mjpeg_part),
    "a boundary in quotation marks": (MJPEG_HEAD.replace(b"=picture", b'="picture"'), mjpeg_part),
    "a boundary with its dashes": (MJPEG_HEAD.replace(b"=picture", b"=--picture"), mjpeg_part),
    "line feeds alone": (MJPEG_HEAD, lambda jpeg: mjpeg_part(jpeg).replace(b"\r\n", b"\n", 4)),
    "no content type": (b"HTTP/1.0 200 OK\r\n\r\n", mjpeg_part),
    "JPEGs without parts": (b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", bytes),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cameras_that_speak_mjpeg_in_their_own_way_are_understood(variant: str) -> None:
    head, part = VARIANTS[variant]

    def script(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(head)
        number = 0
        while not ended.wait(0.01):
            connection.sendall(part(numbered_jpeg(number)))
            number += 1

    with ScriptedServer(script) as server, WatchedReader(server.http, open_timeout=5) as watched:
        watched.wait_for_frames(5)
    numbers = [number_in(np.asarray(frame.image)) for frame in watched.frames]
    assert numbers == sorted(set(numbers))
    assert watched.phases() == ["connecting", "connected", "ended"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "picture.jpg",
        "ftp://host/x",
        "rtsp://",
        "http:/host",
        "-1",
        -1,
        "video0",
        "file:///etc/passwd",
        "concat:a|b",
    ],
)
def test_what_is_no_address_of_a_live_source_is_refused_at_once(address: str | int) -> None:
    with pytest.raises(SourceError, match="expected the address of a live source"):
        LiveReader(address)


@pytest.mark.parametrize("address", ["rtsp:/admin:s3cret@host/", "admin:s3cret@host/live", "ftp://admin:s3cret@host/"])
def test_an_address_that_is_refused_is_shown_without_its_password(address: str) -> None:
    with pytest.raises(SourceError, match=r"\*\*\*@host") as caught:
        LiveReader(address)
    assert "s3cret" not in f"{caught.value!r} {caught.value.source}"


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp"])
def test_a_host_of_an_unknown_name_is_an_error_at_once(scheme: str) -> None:
    error = error_of(f"{scheme}://admin:s3cret@no-such-host.invalid/x", open_timeout=60)
    assert "no-such-host.invalid" in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("option", ["open_timeout", "read_timeout", "max_retry_delay"])
def test_times_are_above_zero(option: str) -> None:
    options: dict[str, Any] = {option: 0.0}
    with pytest.raises(ValueError, match=option):
        LiveReader("http://host/", **options)
