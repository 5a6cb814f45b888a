"""The example programs that run the SDK in an event loop and in a pool of processes."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import DecodingLimits, Detections, MaskPipeline

EXAMPLES = Path(__file__).parents[1] / "examples"
T = TypeVar("T")


class Gate:
    """A detector that waits until the gate is open, then reports no faces."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        self.entered.set()
        assert self.open.wait(60), "nobody opened the gate: the event loop is blocked"
        return Detections.empty()


@asynccontextmanager
async def serve(pipeline: MaskPipeline, host: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = host.create_app(pipeline)
    transport = httpx.ASGITransport(app)
    with pipeline:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://host", timeout=None) as client,
        ):
            yield client


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import asyncio_host

    return asyncio_host


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(work(), 120)

    return asyncio.run(bounded())


def test_an_answer_is_the_result(host: Any, portrait: Path, toy_model: Path) -> None:
    pipeline = MaskPipeline(model=toy_model, threads=1)

    async def post() -> httpx.Response:
        async with serve(pipeline, host) as client:
            return await client.post("/detect", content=portrait.read_bytes())

    answer = run(post)

    assert answer.status_code == 200
    expected = pipeline(portrait.read_bytes()).to_dict()
    assert expected["faces"]
    assert {**answer.json(), "timings_ms": None} == {**expected, "timings_ms": None}


def test_the_event_loop_runs_while_pictures_are_processed(host: Any, portrait: Path, toy_model: Path) -> None:
    gate = Gate()

    async def post_all() -> list[httpx.Response]:
        async with serve(MaskPipeline(gate, model=toy_model, threads=1), host) as client:
            posts = [asyncio.create_task(client.post("/detect", content=portrait.read_bytes())) for _ in range(6)]
            assert await asyncio.to_thread(gate.entered.wait, 60)  # only a running event loop gets here
            assert not any(post.done() for post in posts)
            gate.open.set()
            return await asyncio.gather(*posts)

    answers = run(post_all)

    assert [answer.status_code for answer in answers] == [200] * 6


def test_more_pictures_than_may_wait_are_refused(
    host: Any, portrait: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MAX_PICTURES", 3)
    gate = Gate()

    async def post_all() -> tuple[httpx.Response, list[httpx.Response], httpx.Response]:
        async with serve(MaskPipeline(gate, model=toy_model, threads=1), host) as client:
            posts = [asyncio.create_task(client.post("/detect", content=portrait.read_bytes())) for _ in range(3)]
            assert await asyncio.to_thread(gate.entered.wait, 60)
            refused = await client.post("/detect", content=portrait.read_bytes())
            gate.open.set()
            answers = await asyncio.gather(*posts)
            return refused, answers, await client.post("/detect", content=portrait.read_bytes())

    refused, answers, later = run(post_all)

    assert refused.status_code == 503
    assert "Retry-After" in refused.headers
    assert [answer.status_code for answer in answers] == [200] * 3
    assert later.status_code == 200  # the places are free again


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param(b"this is text", 400, "not a picture", id="text"),
        pytest.param(b"", 400, "empty", id="empty"),
        pytest.param(bytes(2000), 413, "more than 1000 bytes", id="bytes"),
    ],
)
def test_the_error_for_a_body_that_is_no_picture_is_returned(
    host: Any, toy_model: Path, body: bytes, status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "MAX_UPLOAD", 1000)

    async def post() -> httpx.Response:
        async with serve(MaskPipeline(model=toy_model, threads=1), host) as client:
            return await client.post("/detect", content=body)

    answer = run(post)

    assert answer.status_code == status
    assert text in answer.json()["error"]


def test_a_picture_of_too_many_pixels_is_too_large(host: Any, portrait: Path, toy_model: Path) -> None:
    pipeline = MaskPipeline(model=toy_model, threads=1, limits=DecodingLimits(max_pixels=1000))

    async def post() -> httpx.Response:
        async with serve(pipeline, host) as client:
            return await client.post("/detect", content=portrait.read_bytes())

    assert run(post).status_code == 413


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes_gives_the_same_results_as_one_process(
    method: str, portrait: Path, masked_portrait: Path, tmp_path: Path
) -> None:
    if method != "spawn" and sys.platform != "linux":
        pytest.skip("system libraries of macOS do not survive a fork")
    pictures = [str(portrait), str(masked_portrait), str(tmp_path / "missing.jpg")]

    command = [sys.executable, str(EXAMPLES / "process_pool.py"), "--start", method, *pictures]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [result.to_dict() for result in MaskPipeline(threads=1).stream(pictures)]
    assert [line["source"] for line in lines] == pictures
    assert [line["faces"] for line in lines] == [result["faces"] for result in expected]
    assert [line["error"] for line in lines] == [result["error"] for result in expected]
    assert lines[0]["faces"]
    assert lines[2]["error"]
