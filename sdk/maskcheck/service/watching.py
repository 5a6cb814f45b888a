"""Counts every request and its time, and knows when none is under way."""

from __future__ import annotations

import asyncio
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskcheck.service.metrics import Metrics


class Traffic:
    """Requests and streams that are under way.

    Attributes:
        idle: Set while there is none.
    """

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._under_way = 0

    def begin(self) -> None:
        """One begins."""
        self._under_way += 1
        self.idle.clear()

    def end(self) -> None:
        """One has ended."""
        self._under_way -= 1
        if self._under_way == 0:
            self.idle.set()


class Watching:
    """Middleware that counts.

    Args:
        app: The application.
        metrics: Gets the counts.
        traffic: Knows what is under way.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, traffic: Traffic) -> None:
        self._app = app
        self._metrics = metrics
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        status = 101 if scope["type"] == "websocket" else 500
        started = perf_counter()

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._traffic.begin()
        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, send_and_look)
        finally:
            self._traffic.end()
            self._metrics.in_progress.dec()
            route = getattr(scope.get("route"), "path", "none")  # not the path: there are endlessly many
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(perf_counter() - started)
