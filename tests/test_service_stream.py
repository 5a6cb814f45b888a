"""The stream of the HTTP service: frames in, results with track numbers out."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from waiting import wait_until

from maskcheck import FrameResult, MaskPipeline

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("websockets", reason="the service needs `pip install maskcheck[serve]`")

from running_service import NumberedDetector, Running, picture, running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from maskcheck.service.settings import ServiceSettings

PATIENCE = 30


@contextmanager
def served(act: Callable[[int], object] = lambda _: None, **settings: Any) -> Iterator[Running]:
    values = {"grace": 1.0, "max_request_bytes": 100_000, **settings}
    with running(MaskPipeline(NumberedDetector(act)), ServiceSettings(**values)) as server:
        yield server


@contextmanager
def stream(server: Running, query: str = "", **options: Any) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{server.port}/v1/stream{query}"
    with connect(address, proxy=None, compression=None, open_timeout=PATIENCE, **options) as connection:
        yield connection


def answer(connection: ClientConnection) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(connection.recv(PATIENCE))
    return result


def closing(connection: ClientConnection) -> tuple[int, str]:
    """The code of the end, and why."""
    with pytest.raises(ConnectionClosed) as caught:
        connection.recv(PATIENCE)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with served() as server:
        yield server


def test_each_frame_is_answered_in_order_and_faces_keep_their_numbers(server: Running) -> None:
    with stream(server) as connection:
        for number in (10, 11, 12, 13, 14, 15):
            connection.send(picture(number, ".jpg"))
        answers = [answer(connection) for _ in range(6)]

    assert [each["frame"] for each in answers] == list(range(6))
    assert [each["faces"][0]["box"][0] for each in answers] == [10, 11, 12, 13, 14, 15]
    assert {tuple(face["track_id"] for face in each["faces"]) for each in answers} == {(1, 2)}
    times = [each["time"] for each in answers]
    assert times == sorted(times)
    assert all(FrameResult.from_dict(each).error is None for each in answers)


def test_each_connection_has_tracks_of_its_own(server: Running) -> None:
    for _ in range(2):
        with stream(server) as connection:
            connection.send(picture(10))
            assert [face["track_id"] for face in answer(connection)["faces"]] == [1, 2]


def test_without_tracks(server: Running) -> None:
    with stream(server, "?track=false") as connection:
        connection.send(picture(10))
        assert all("track_id" not in face for face in answer(connection)["faces"])


def test_a_bad_frame_is_an_error_and_the_stream_goes_on(server: Running) -> None:
    with stream(server) as connection:
        for content in (picture(10), b"no picture", b"", picture(11)):
            connection.send(content)
        answers = [answer(connection) for _ in range(4)]

    assert [each["error"] is None for each in answers] == [True, False, False, True]
    assert answers[1]["error"]["type"] == "ImageError"
    assert [each["frame"] for each in answers] == [0, 1, 2, 3]
    assert answers[3]["faces"][0]["track_id"] == answers[0]["faces"][0]["track_id"]


def test_a_fault_of_the_detector_is_an_error_of_that_frame() -> None:
    def fail(number: int) -> None:
        if number == 9:
            raise RuntimeError("out of order")

    with served(fail) as server, stream(server) as connection:
        connection.send(picture(9))
        connection.send(picture(10))
        assert "out of order" in answer(connection)["error"]["message"]
        assert answer(connection)["error"] is None


def test_a_frame_that_takes_too_long_is_an_error() -> None:
    may_end = threading.Event()
    with served(lambda number: number == 9 and may_end.wait(PATIENCE), timeout=0.2) as server:
        with stream(server) as connection:
            connection.send(picture(9))
            assert answer(connection)["error"]["type"] == "PictureTimeout"
        may_end.set()


def test_no_more_than_four_frames_are_under_way() -> None:
    may_go_on = threading.Event()
    with served(lambda _: may_go_on.wait(PATIENCE)) as server, stream(server) as connection:
        taken: list[object] = []
        submit = server.service.pipeline.submit

        def count(frame: Any, **options: Any) -> Any:
            taken.append(frame)
            return submit(frame, **options)

        server.service.pipeline.submit = count  # type: ignore[assignment,method-assign]
        for number in range(1, 11):
            connection.send(picture(number))
        wait_until(lambda: len(taken) == 4, "four are under way")
        assert server.client.get("/healthz").status_code == 200
        assert len(taken) == 4
        may_go_on.set()
        assert [answer(connection)["frame"] for _ in range(10)] == list(range(10))


def test_a_text_is_no_frame(server: Running) -> None:
    with stream(server) as connection:
        connection.send("hello")
        assert closing(connection)[0] == 1003


def test_a_frame_that_is_too_big(server: Running) -> None:
    with stream(server) as connection:
        connection.send(bytes(200_000))
        assert closing(connection)[0] == 1009


def test_a_stream_without_frames_is_closed() -> None:
    with served(stream_idle=0.1) as server, stream(server) as connection:
        assert closing(connection)[0] == 1000


def protocols(token: str) -> list[str]:
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return ["maskcheck.v1", f"maskcheck.bearer.{encoded}"]


def test_tokens() -> None:
    with served(tokens=("a token, ä",)) as server:
        for options in (
            {},
            {"subprotocols": ["maskcheck.v1"]},
            {"subprotocols": protocols("another")},
            {"subprotocols": ["maskcheck.v1", "maskcheck.bearer.!"]},
            {"additional_headers": {"Authorization": "Bearer another"}},
        ):
            with stream(server, **options) as connection:
                assert closing(connection) == (1008, "no token of this service")
        for options in (
            {"subprotocols": protocols("a token, ä")},
            {"additional_headers": {"Authorization": "Bearer a token, ä"}},
        ):
            with stream(server, **options) as connection:
                assert connection.subprotocol in ("maskcheck.v1", None)
                connection.send(picture(10))
                assert answer(connection)["error"] is None


def test_a_browser_gets_the_protocol_that_it_asks_for(server: Running) -> None:
    with stream(server, subprotocols=protocols("any")) as connection:
        assert connection.subprotocol == "maskcheck.v1"


def test_a_page_from_elsewhere_is_refused() -> None:
    with served(cors=("https://example.org",)) as server:
        with stream(server, origin="https://example.com") as connection:
            assert closing(connection)[0] == 1008
        for origin in ("https://example.org", server.url):
            with stream(server, origin=origin) as connection:
                connection.send(picture(10))
                assert answer(connection)["error"] is None


def test_one_more_stream_than_allowed() -> None:
    with served(max_streams=1) as server:
        with stream(server) as first:
            first.send(picture(10))
            assert answer(first)["error"] is None
            with stream(server) as second:
                assert closing(second)[0] == 1013
            assert server.count("maskcheck_streams") == 1
        wait_until(lambda: server.count("maskcheck_streams") == 0, "the place is free")
        with stream(server) as third:
            third.send(picture(10))
            assert answer(third)["error"] is None


def test_a_client_that_goes_leaves_nothing_behind() -> None:
    may_go_on = threading.Event()
    with served(lambda _: may_go_on.wait(PATIENCE)) as server:
        detector = server.service.pipeline.detector
        with stream(server) as connection:
            for number in range(1, 5):
                connection.send(picture(number))
            wait_until(lambda: len(detector.seen) == 2, "two are searched for faces")  # type: ignore[attr-defined]
            connection.socket.close()
        wait_until(lambda: server.count("maskcheck_streams") == 0, "the stream has ended")
        may_go_on.set()
        assert server.post(picture(9)).status_code == 200
        assert sorted(detector.seen) == [1, 2, 9]  # type: ignore[attr-defined]


def test_an_ending_service_answers_what_it_has_taken() -> None:
    may_go_on = threading.Event()
    with served(lambda _: may_go_on.wait(PATIENCE)) as server, stream(server) as connection:
        detector = server.service.pipeline.detector
        for number in (1, 2):
            connection.send(picture(number))
        wait_until(lambda: len(detector.seen) == 2, "both are searched for faces")  # type: ignore[attr-defined]
        server.loop.call_soon_threadsafe(server.service.closing.set)
        may_go_on.set()

        assert [answer(connection)["frame"] for _ in range(2)] == [0, 1]
        assert closing(connection)[0] == 1001
        with stream(server) as late:
            assert closing(late)[0] == 1001
