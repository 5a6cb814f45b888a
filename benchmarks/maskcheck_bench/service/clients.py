"""Clients of a service, written on sockets: a client library would cost as much as the service that is measured."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from time import perf_counter
from typing import Any, TypeVar

Result = TypeVar("Result")


class OwnProcess:
    """A process that calls functions, so that clients, servers and streams share no interpreter."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What a function gives there."""
        return self._pool.submit(function, *arguments).result()


class Connection:
    """A connection that is kept for one request after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def send(self, content: bytes) -> asyncio.StreamReader:
        """Send bytes, over a new connection if there is none, or if the service has closed it."""
        if self.reader is not None and self.reader.at_eof():
            self.close()
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.writer.write(content)
        await self.writer.drain()
        assert self.reader is not None
        return self.reader

    async def request(self, content: bytes) -> tuple[int, bytes]:
        """Send a request; the status and the body of its answer."""
        kept = self.writer is not None
        try:
            reader = await self.send(content)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            if not kept:
                raise
            return await self.request(content)  # the server had closed a connection that was not used for a while
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Hang up."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def post(body: bytes, *, length: int | None = None, kind: str = "image/jpeg") -> bytes:
    """A request for ``/v1/detect``; `length` is what it says of its body, if that is not true."""
    size = len(body) if length is None else length
    head = f"Host: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
    return b"POST /v1/detect HTTP/1.1\r\n" + head.encode() + body


def steady_load(port: int, bodies: Sequence[bytes], clients: int, count: int) -> tuple[float, list[float]]:
    """So many clients, each of which sends the next picture when it has its answer.

    Returns:
        Pictures a second, and the seconds that each took.

    Raises:
        RuntimeError: An answer is no result.
    """
    return asyncio.run(_steady_load(port, bodies, clients, count))


async def _steady_load(port: int, bodies: Sequence[bytes], clients: int, count: int) -> tuple[float, list[float]]:
    seconds: list[float] = []
    numbers = iter(range(count))

    async def client() -> None:
        connection = Connection(port)
        for number in numbers:
            started = perf_counter()
            await _expect_result(connection, bodies[number % len(bodies)])
            seconds.append(perf_counter() - started)
        connection.close()

    started = perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return count / (perf_counter() - started), seconds


def load_at_rate(port: int, bodies: Sequence[bytes], rate: float, count: int, seed: int) -> list[float]:
    """Pictures at random times (a Poisson process), whether or not the last one was answered.

    Args:
        port: Of the service.
        bodies: Encoded pictures, sent in turn.
        rate: Pictures a second, on average.
        count: Pictures.
        seed: Of the times.

    Returns:
        Seconds that each took, from the time when it was due.

    Raises:
        RuntimeError: An answer is no result.
    """
    return asyncio.run(_load_at_rate(port, bodies, rate, count, seed))


async def _load_at_rate(port: int, bodies: Sequence[bytes], rate: float, count: int, seed: int) -> list[float]:
    free: list[Connection] = []
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    dues = list(accumulate((chance.expovariate(rate) for _ in range(count)), initial=loop.time()))[1:]

    async def one(number: int) -> float:
        due = dues[number]
        await asyncio.sleep(max(due - loop.time(), 0))
        connection = free.pop() if free else Connection(port)
        await _expect_result(connection, bodies[number % len(bodies)])
        free.append(connection)
        return loop.time() - due

    return await asyncio.gather(*map(one, range(count)))


async def _expect_result(connection: Connection, body: bytes) -> None:
    status, answer = await connection.request(post(body))
    if status != 200:
        raise RuntimeError(f"expected a result, got {status}: {answer[:200]!r}")


def labels_of(answer: bytes) -> list[Any]:
    """Box and label of each face of an answer."""
    return labels(json.loads(answer))


def labels(result: dict[str, Any]) -> list[Any]:
    """Box and label of each face of a result: they do not depend on what shared its batch, unlike last digits."""
    return [[*face["box"], face["label"]] for face in result["faces"]]
