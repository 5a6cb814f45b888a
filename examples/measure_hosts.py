"""Measure the SDK in an asyncio application and in a pool of processes.

    pip install starlette httpx
    python examples/measure_hosts.py

Prints a Markdown table for each. All requests start at the same time. The loop should tick every millisecond; the table
shows how late the latest tick was.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse

from asyncio_host import MAX_PICTURES, create_app
from maskcheck import FrameResult, MaskPipeline
from maskcheck.runtime.cpu import default_thread_count
from process_pool import results

PICTURES = sorted(Path(__file__).parent.glob("*.jpg"))
REQUESTS = MAX_PICTURES
TICK = 0.001  # seconds
FEW, MANY = len(PICTURES), 4 * len(PICTURES)


async def largest_delay(work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    """Seconds that the work takes, and by how many seconds the latest tick during it was late."""
    delays: list[float] = []

    async def tick() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(TICK)
            delays.append(time.perf_counter() - start - TICK)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    delays.clear()
    start = time.perf_counter()
    await work
    seconds = time.perf_counter() - start
    await asyncio.sleep(2 * TICK)  # so that a tick that is late now counts too
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    return seconds, max(delays)


async def measure_loop(pipeline: MaskPipeline) -> None:
    """Compare the example with a handler that blocks the event loop."""
    app = create_app(pipeline)

    async def blocking(request: Request) -> JSONResponse:
        return JSONResponse(pipeline(await request.body()).to_dict())

    app.add_route("/blocking", blocking, methods=["POST"])
    print(f"| {REQUESTS} requests at once | pictures/s | largest delay of the loop (ms) |\n| --- | --- | --- |")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host", timeout=None) as client,
    ):

        async def post(path: str, picture: Path) -> None:
            (await client.post(path, content=picture.read_bytes())).raise_for_status()

        async def post_all(path: str) -> None:
            await asyncio.gather(
                *(post(path, picture) for picture in itertools.islice(itertools.cycle(PICTURES), REQUESTS))
            )

        for path, name in (("/detect", "`submit`, as in `asyncio_host.py`"), ("/blocking", "calls on the event loop")):
            seconds, delay = await largest_delay(post_all(path))
            print(f"| {name} | {REQUESTS / seconds:.1f} | {1e3 * delay:.0f} |", flush=True)


def measure_pools() -> None:
    """Compare the start and speed of each kind of pool with the threads of one process."""
    count = default_thread_count()
    print(f"\n| {count} CPUs | start (s) | then pictures/s |\n| --- | --- | --- |")
    pipeline = MaskPipeline()
    report("threads of one process: `MaskPipeline().stream`", lambda pictures: list(pipeline.stream(pictures)))
    for method in multiprocessing.get_all_start_methods():

        def pool(pictures: list[str], method: str = method) -> list[FrameResult]:
            return list(results(pictures, MaskPipeline(threads=1), method, count))

        report(f"`process_pool.py --start {method} --processes {count}`", pool)


def report(name: str, run: Callable[[list[str]], list[FrameResult]]) -> None:
    """Print a row of the table: the start time from a run over a few pictures, the speed from a run over many."""
    seconds = []
    for number in (FEW, MANY):
        pictures = [str(picture) for picture in itertools.islice(itertools.cycle(PICTURES), number)]
        start = time.perf_counter()
        frame_results = run(pictures)
        seconds.append(time.perf_counter() - start)
        assert all(result.error is None for result in frame_results)
    rate = (MANY - FEW) / (seconds[1] - seconds[0])
    print(f"| {name} | {max(0.0, seconds[0] - FEW / rate):.1f} | {rate:.1f} |", flush=True)


if __name__ == "__main__":
    with MaskPipeline() as pipeline:
        asyncio.run(measure_loop(pipeline))
    measure_pools()
