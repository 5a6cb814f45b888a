"""Many requests, some of them broken, greedy, slow or given up; and what they leave behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import psutil

from maskcheck_bench.service.clients import Connection, OwnProcess, labels, labels_of, post, steady_load
from maskcheck_bench.service.servers import Server, Setup, service

_MOST_BYTES = 2_000_000
_OPTIONS = ("--max-request-megabytes", "2", "--body-timeout", "1", "--max-queue", "200")
_STATUS = {"picture": 200, "malformed": 422, "broken form": 400, "oversized": 413, "slow": 408}
_BAD = (*(kind for kind in _STATUS if kind != "picture"), "given up")
_TRICKLE = 0.3  # seconds between the bytes of a slow body


def measure_soak(
    setup: Setup, bodies: Sequence[bytes], *, clients: int, count: int, bad: float, seed: int
) -> dict[str, Any]:
    """Send requests, and look at the answers and at the process.

    Args:
        setup: Finds and labels the faces.
        bodies: Encoded pictures.
        clients: Clients at once.
        count: Requests.
        bad: Share of requests that are malformed, oversized, slow or given up, in equal parts.
        seed: Of the order.

    Returns:
        Answers by kind and status, wrong ones, memory of the service after each tenth, the time of a request before
        and after, and what is still under way.
    """
    with OwnProcess() as callers:
        expected = callers.call(_labels_by_pipeline, setup, bodies)
        with service(setup, _OPTIONS) as server:
            before = callers.call(_alone, server.port, bodies)
            started = perf_counter()
            sent = callers.call(_send, server, bodies, expected, clients, count, bad, seed)
            seconds = perf_counter() - started
            after = callers.call(_alone, server.port, bodies)
            left = _left(server)
    memory = sent["memory"]
    return {
        "requests": count,
        "clients": clients,
        "seconds": seconds,
        "answers": dict(sorted(sent["statuses"].items())),
        "wrong": sent["wrong"],
        "wrong_examples": sent["examples"],
        "server_errors": sum(
            number for name, number in sent["statuses"].items() if name.rpartition(" ")[2].startswith("5")
        ),
        "memory_mb": [size / 1e6 for size in memory],
        "memory_growth": memory[-1] / memory[0] - 1,
        "single_request_ms": {"before": before, "after": after},
        "left": left,
    }


def _labels_by_pipeline(setup: Setup, bodies: Sequence[bytes]) -> list[Any]:
    with setup.pipeline() as pipeline:
        return [labels(pipeline(body).to_dict()) for body in bodies]


def _alone(port: int, bodies: Sequence[bytes]) -> float:
    """Milliseconds of a request when there is no other."""
    return median(steady_load(port, bodies, 1, 20)[1]) * 1000


def _left(server: Server) -> dict[str, float]:
    """Requests that the service still counts, but for the one that asks."""
    counts = {}
    for line in server.get("/metrics").splitlines():
        name, _, value = line.partition(" ")
        if name in ("maskcheck_requests_in_progress", "maskcheck_queue_length", "maskcheck_streams"):
            counts[name] = float(value)
    counts["maskcheck_requests_in_progress"] -= 1
    return counts


def _send(
    server: Server, bodies: Sequence[bytes], expected: Sequence[Any], clients: int, count: int, bad: float, seed: int
) -> dict[str, Any]:
    return asyncio.run(_Senders(server, bodies, expected, random.Random(seed)).run(clients, count, bad))


class _Senders:
    def __init__(self, server: Server, bodies: Sequence[bytes], expected: Sequence[Any], chance: random.Random) -> None:
        self._server = server
        self._process = psutil.Process(server.pid)
        self._bodies = bodies
        self._expected = expected
        self._chance = chance
        self._statuses: Counter[str] = Counter()
        self._wrong = 0
        self._examples: list[str] = []
        self._memory: list[int] = []

    async def run(self, clients: int, count: int, bad: float) -> dict[str, Any]:
        kinds = [self._chance.choice(_BAD) if self._chance.random() < bad else "picture" for _ in range(count)]
        numbered = iter(enumerate(kinds))
        await asyncio.gather(*(self._client(numbered, max(count // 10, 1)) for _ in range(clients)))
        self._memory.append(self._process.memory_info().rss)
        return {
            "statuses": dict(self._statuses),
            "wrong": self._wrong,
            "examples": self._examples,
            "memory": self._memory,
        }

    async def _client(self, kinds: Iterator[tuple[int, str]], tenth: int) -> None:
        connection = Connection(self._server.port)
        for number, kind in kinds:
            if number and number % tenth == 0:
                self._memory.append(self._process.memory_info().rss)
            try:
                await self._one(connection, kind, self._chance.randrange(len(self._bodies)))
            except (OSError, asyncio.IncompleteReadError) as error:
                self._note_wrong(kind, f"cut off: {error!r}")
                connection.close()
        connection.close()

    async def _one(self, connection: Connection, kind: str, place: int) -> None:
        if kind == "given up":
            await connection.send(post(self._bodies[place]))
            await asyncio.sleep(self._chance.random() * 0.1)
            connection.close()
            self._statuses["given up -"] += 1
            return
        answering = asyncio.ensure_future(connection.request(self._content(kind, place)))
        if kind == "slow":
            while not (await asyncio.wait((answering,), timeout=_TRICKLE))[0]:
                await connection.send(b"x")
        status, answer = await answering
        self._statuses[f"{kind} {status}"] += 1
        if status != _STATUS[kind]:
            self._note_wrong(kind, f"{status} {answer[:200]!r}")
        elif kind == "picture" and labels_of(answer) != self._expected[place]:
            self._note_wrong(kind, f"{labels_of(answer)}, expected {self._expected[place]}")

    def _note_wrong(self, kind: str, what: str) -> None:
        self._wrong += 1
        if len(self._examples) < 20:
            self._examples.append(f"{kind}: {what}")

    def _content(self, kind: str, place: int) -> bytes:
        body = self._bodies[place]
        if kind == "picture":
            return post(body)
        if kind == "malformed":
            return post(self._chance.randbytes(1000))
        if kind == "broken form":
            return post(b"--x\r\nno form", kind="multipart/form-data; boundary=x")
        if kind == "oversized":
            return post(bytes(_MOST_BYTES + 1))
        return post(body[:100], length=len(body))  # slow: the rest trickles in
