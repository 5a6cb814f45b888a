"""The HTTP service under load, and with clients that are slow, greedy or gone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from waiting import wait_until

from maskcheck import MaskPipeline

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")

from running_service import NumberedDetector, Running, picture, running

from maskcheck.service import calls
from maskcheck.service.app import create_app
from maskcheck.service.settings import ServiceSettings

PATIENCE = 30


class Gate:
    """Holds the detector at some numbers until it opens."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.reached = threading.Semaphore(0)
        self._opened = threading.Event()

    def __call__(self, number: int) -> None:
        if number in self.numbers:
            self.reached.release()
            assert self._opened.wait(PATIENCE)

    def open(self) -> None:
        self._opened.set()


@contextmanager
def gated(
    gate: Gate, *, timeout: float = PATIENCE, concurrent: int = 16, queue: int = 64, body_timeout: float = PATIENCE
) -> Iterator[tuple[Running, NumberedDetector]]:
    detector = NumberedDetector(gate)
    settings = ServiceSettings(
        max_request_bytes=1_000_000,
        max_concurrent=concurrent,
        max_queue=queue,
        timeout=timeout,
        body_timeout=body_timeout,
        grace=1,
    )
    with running(MaskPipeline(detector, timeout=timeout), settings, header_timeout=0.3) as server:
        try:
            yield server, detector
        finally:
            gate.open()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def connect(server: Running, head: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    connection.sendall(head)
    return connection


def head(length: int, more: bytes = b"") -> bytes:
    return b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n%sContent-Length: %d\r\n\r\n" % (
        more,
        length,
    )


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class Blocking:
    """A classifier of one crop size that waits, the first time, until it may go on."""

    labels = ("covered", "bare")
    batch_size = 32

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()

    def crop(self, image: np.ndarray, boxes: np.ndarray, /) -> np.ndarray:  # noqa: ARG002 # part of the interface
        return np.zeros((len(boxes), 8, 8, 3), np.uint8)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return np.tile(np.array([[0.5, 0.5]], np.float32), (len(crops), 1))


def test_faces_of_concurrent_requests_share_batches(pool: ThreadPoolExecutor) -> None:
    classifier = Blocking()
    detector = NumberedDetector()
    with running(MaskPipeline(detector, classifier=classifier)) as server:
        first = pool.submit(server.post, picture(1))
        assert classifier.begun.wait(PATIENCE)
        others = [pool.submit(server.post, picture(number)) for number in (2, 3, 4)]
        wait_until(lambda: len(detector.seen) == 4, "the others are searched for faces")
        classifier.may_end.set()
        answers = [future.result(PATIENCE).json() for future in (first, *others)]

        assert [answer["faces"][0]["box"][0] for answer in answers] == [1, 2, 3, 4]
        assert server.count("maskcheck_batch_pictures_sum") == 4
        assert server.count("maskcheck_batch_pictures_count") < 4


def test_who_finds_the_queue_full_is_told_to_come_back(pool: ThreadPoolExecutor) -> None:
    gate = Gate(1)
    with gated(gate, concurrent=1, queue=1) as (server, detector):
        first = pool.submit(server.post, picture(1))
        assert gate.reached.acquire(timeout=PATIENCE)
        second = pool.submit(server.post, picture(2))
        wait_until(lambda: server.service.admission.inside == 2, "the second one waits")
        assert server.count("maskcheck_queue_length") == 1

        refused = server.post(picture(3))

        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["type"].endswith("queue_full")
        assert server.client.get("/healthz").status_code == 200
        gate.open()
        assert [future.result(PATIENCE).status_code for future in (first, second)] == [200, 200]
        assert server.post(picture(4)).status_code == 200
        assert detector.seen == [1, 2, 4]
        assert server.service.admission.inside == 0


def test_what_takes_too_long_is_given_up_and_its_place_is_free() -> None:
    gate = Gate(1)
    with gated(gate, timeout=0.2, concurrent=1) as (server, _):
        late = server.post(picture(1))

        assert late.status_code == 504
        assert late.json()["type"].endswith("took_too_long")
        # Two threads search for faces; were one of them stuck, and the other one next, nobody would answer.
        assert server.post(picture(1)).status_code == 504
        assert server.post(picture(1)).status_code == 504
        wait_until(lambda: server.post(picture(2)).status_code == 200, "the service goes on")
        assert server.service.admission.inside == 0


def test_what_nobody_waits_for_is_not_begun(pool: ThreadPoolExecutor) -> None:
    gate = Gate(1)
    with gated(gate, concurrent=1) as (server, detector):
        first = pool.submit(server.post, picture(1))
        assert gate.reached.acquire(timeout=PATIENCE)
        body = picture(2)
        gone = connect(server, head(len(body)) + body)
        wait_until(lambda: server.service.admission.inside == 2, "the second one waits")

        gone.close()

        wait_until(lambda: server.service.admission.inside == 1, "the second one has left")
        gate.open()
        assert first.result(PATIENCE).status_code == 200
        assert server.post(picture(3)).status_code == 200
        assert detector.seen == [1, 3]
        assert server.count('maskcheck_requests_total{route="/v1/detect",status="499"}') == 1
        assert server.count('maskcheck_refused_total{reason="client_gone"}') == 1


def test_who_hangs_up_during_the_work_leaves_a_free_place() -> None:
    gate = Gate(1)
    with gated(gate, concurrent=1, queue=0) as (server, _):
        body = picture(1)
        with connect(server, head(len(body)) + body):
            assert gate.reached.acquire(timeout=PATIENCE)
        wait_until(lambda: server.service.admission.inside == 0, "the place is free")

        assert server.post(picture(2)).status_code == 200


def test_pictures_of_a_form_that_nobody_waits_for_are_not_begun() -> None:
    gate = Gate(1, 2)
    with gated(gate) as (server, detector):
        files = [("file", (f"{number}.png", picture(number), "image/png")) for number in range(1, 9)]
        request = httpx.Request("POST", f"{server.url}/v1/detect", files=files)
        body = request.read()
        lines = b"".join(b"%s: %s\r\n" % pair for pair in request.headers.raw)
        with connect(server, b"POST /v1/detect HTTP/1.1\r\n" + lines + b"\r\n" + body):
            assert gate.reached.acquire(timeout=PATIENCE)
            assert gate.reached.acquire(timeout=PATIENCE)
        wait_until(lambda: server.service.admission.inside == 0, "the place is free")
        gate.open()

        assert server.post(picture(9)).status_code == 200
        assert sorted(detector.seen) == [1, 2, 9]


def test_a_body_that_takes_too_long_to_come() -> None:
    with gated(Gate(), body_timeout=0.2, concurrent=1, queue=0) as (server, _):
        with connect(server, head(1000) + b"some bytes") as slow:
            answer = answer_of(slow)  # to the end: the connection is closed

        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b"slow_body" in answer
        assert b"got 10 bytes" in answer
        assert server.post(picture(2)).status_code == 200


def test_headers_that_take_too_long_to_come() -> None:
    with gated(Gate()) as (server, _), connect(server, b"POST /v1/detect HTTP/1.1\r\nHost:") as slow:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.05):  # bytes that come do not prolong the time
                try:
                    slow.sendall(b"x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert answer_of(slow) == b""
        except ConnectionResetError:  # it was closed while a byte was on its way
            pass
        finally:
            stop.set()
            dripping.join()
        assert server.post(picture(2)).status_code == 200


def test_a_connection_that_says_nothing() -> None:
    with gated(Gate()) as (server, _), connect(server, b"") as silent:
        assert answer_of(silent) == b""


def test_a_connection_may_be_used_again_and_again() -> None:
    with gated(Gate()) as (server, _), httpx.Client(base_url=server.url, trust_env=False) as client:
        look = threading.Event()
        for _ in range(3):
            request = client.post("/v1/detect", content=picture(3), headers={"Content-Type": "image/png"})
            assert request.status_code == 200
            look.wait(0.2)  # three of them are longer than headers may take to come


def test_an_endless_body_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "LINGER", 0.2)
    with gated(Gate(), concurrent=1, queue=0) as (server, _):
        pieces = b"%x\r\n%s\r\n" % (100_000, bytes(100_000))
        start = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        with connect(server, start) as greedy:
            sent = 0
            try:
                while True:
                    greedy.sendall(pieces)
                    sent += 1
            except OSError:
                pass
        assert sent * 100_000 >= 1_000_000
        wait_until(lambda: server.service.admission.inside == 0, "the place is free")
        assert server.post(picture(2)).status_code == 200


def test_who_asks_first_sends_no_body_that_is_too_large() -> None:
    with gated(Gate()) as (server, _), connect(server, head(5_000_000, b"Expect: 100-continue\r\n")) as polite:
        answer = answer_of(polite)

    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b"100 Continue" not in answer


def test_the_service_lives_while_all_threads_work(pool: ThreadPoolExecutor) -> None:
    gate = Gate(1, 2)
    with gated(gate) as (server, _):
        futures: list[Future[httpx.Response]] = [pool.submit(server.post, picture(number)) for number in (1, 2)]
        assert gate.reached.acquire(timeout=PATIENCE)
        assert gate.reached.acquire(timeout=PATIENCE)

        assert server.client.get("/healthz").status_code == 200
        wait_until(lambda: server.count("maskcheck_requests_in_progress") == 2, "the two are all that is under way")
        gate.open()
        assert [future.result(PATIENCE).status_code for future in futures] == [200, 200]


def test_an_ending_service_takes_no_more_requests(pool: ThreadPoolExecutor) -> None:
    gate = Gate(1)
    with gated(gate) as (server, _):
        accepted = pool.submit(server.post, picture(1))
        assert gate.reached.acquire(timeout=PATIENCE)
        server.loop.call_soon_threadsafe(server.service.closing.set)
        wait_until(server.service.closing.is_set, "the service ends")

        refused = server.post(picture(2))
        ready = server.client.get("/readyz")

        for answer in (refused, ready):
            assert answer.status_code == 503
            assert "retry-after" in answer.headers
        assert server.client.get("/healthz").status_code == 200
        gate.open()
        assert accepted.result(PATIENCE).status_code == 200


def test_a_service_whose_models_do_not_load() -> None:
    class Unready(NumberedDetector):
        def __init__(self, load: Callable[[], object]) -> None:
            super().__init__()
            self.warm_up = load

    may_load = threading.Event()

    def load() -> None:
        assert may_load.wait(PATIENCE)
        raise RuntimeError("no network file")

    async def ask() -> list[tuple[int, str]]:
        app = create_app(ServiceSettings(), MaskPipeline(Unready(load)))
        answers = []
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            for _ in range(2):
                for send in (client.get("/readyz"), client.post("/v1/detect", content=picture(1))):
                    answer = await send
                    answers.append((answer.status_code, answer.json()["detail"]))
                failed = asyncio.Event()
                app.state.service.on_failure = failed.set
                may_load.set()
                if app.state.service.failure is None:
                    await asyncio.wait_for(failed.wait(), PATIENCE)
        return answers

    answers = asyncio.run(ask())

    assert [status for status, _ in answers] == [503] * 4
    assert ["no network file" in detail for _, detail in answers] == [False, False, True, True]
