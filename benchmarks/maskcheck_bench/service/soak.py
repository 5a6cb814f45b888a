"""Many requests, some of them broken, greedy, slow or given up; and what they leave behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psutil

from maskcheck_bench.service.clients import Connection, faces_of, in_own_process, post
from maskcheck_bench.service.servers import Server, Setup, service

_MOST_BYTES = 2_000_000
_OPTIONS = ("--max-request-megabytes", "2", "--body-timeout", "1", "--max-queue", "200")
_STATUS = {"malformed": 422, "broken form": 400, "oversized": 413, "slow": 408}


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
        Answers by kind and status, wrong ones, memory after a fifth and at the end, and what is still under way.
    """
    with service(setup, _OPTIONS) as server:
        process = psutil.Process(server.pid)
        first = in_own_process(_send, server.port, bodies, clients, count // 5, bad, seed)
        begun = process.memory_info().rss
        rest = in_own_process(_send, server.port, bodies, clients, count - count // 5, bad, seed + 1)
        ended = process.memory_info().rss
        left = _left(server)
    statuses = Counter(first["statuses"]) + Counter(rest["statuses"])
    return {
        "requests": count,
        "answers": dict(sorted(statuses.items())),
        "wrong": first["wrong"] + rest["wrong"],
        "server_errors": sum(number for name, number in statuses.items() if name.rpartition(" ")[2].startswith("5")),
        "memory_mb_after_a_fifth": begun / 1e6,
        "memory_mb_at_the_end": ended / 1e6,
        "memory_growth": ended / begun - 1,
        "left": left,
    }


def _left(server: Server) -> dict[str, float]:
    """Requests that the service still counts, but for the one that asks."""
    counts = {}
    for line in server.get("/metrics").splitlines():
        name, _, value = line.partition(" ")
        if name in ("maskcheck_requests_in_progress", "maskcheck_queue_length", "maskcheck_streams"):
            counts[name] = float(value)
    counts["maskcheck_requests_in_progress"] -= 1
    return counts


def _send(port: int, bodies: Sequence[bytes], clients: int, count: int, bad: float, seed: int) -> dict[str, Any]:
    return asyncio.run(_Senders(port, bodies, random.Random(seed)).run(clients, count, bad))


class _Senders:
    def __init__(self, port: int, bodies: Sequence[bytes], chance: random.Random) -> None:
        self._port = port
        self._bodies = bodies
        self._chance = chance
        self._expected: dict[int, Any] = {}
        self._statuses: Counter[str] = Counter()
        self._wrong = 0

    async def run(self, clients: int, count: int, bad: float) -> dict[str, Any]:
        connection = Connection(self._port)
        for place, body in enumerate(self._bodies):
            self._expected[place] = faces_of((await connection.request(post(body)))[1])
        connection.close()
        kinds = iter(
            [
                self._chance.choice((*_STATUS, "given up")) if self._chance.random() < bad else "picture"
                for _ in range(count)
            ]
        )
        await asyncio.gather(*(self._client(kinds) for _ in range(clients)))
        return {"statuses": dict(self._statuses), "wrong": self._wrong}

    async def _client(self, kinds: Any) -> None:
        connection = Connection(self._port)
        for kind in kinds:
            place = self._chance.randrange(len(self._bodies))
            if kind == "given up":
                await connection.send(post(self._bodies[place]))
                await asyncio.sleep(self._chance.random() * 0.1)
                connection.close()
                self._statuses["given up -"] += 1
                continue
            status, answer = await connection.request(self._content(kind, place))
            self._statuses[f"{kind} {status}"] += 1
            if kind != "picture":
                self._wrong += status != _STATUS[kind]
            elif status != 200 or faces_of(answer) != self._expected[place]:
                self._wrong += 1
        connection.close()

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
        return post(body[:100], length=len(body))  # slow: the rest never comes
