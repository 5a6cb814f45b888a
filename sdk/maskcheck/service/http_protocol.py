"""uvicorn's HTTP/1.1 with a limit of time for what comes outside of a request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT = 10.0
"""Seconds that the headers of a request may take to come, and the rest of a body after its request was refused."""


class TimedH11Protocol(H11Protocol):  # type: ignore[misc]  # uvicorn's classes are not checked
    """Closes a connection on which neither a request begins in time nor one is answered.

    uvicorn limits only how long a connection may say nothing between two requests: one that sends a byte now and then
    would stay for ever.
    """

    header_timeout = HEADER_TIMEOUT
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The connection begins."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Something came."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.get_protocol() is not self:  # it became a WebSocket
            self._stop()
        elif self._due is None:
            self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop()
        super().connection_lost(exc)

    def _start(self) -> None:
        self._due = self.loop.call_later(self.header_timeout, self._close)

    def _stop(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _close(self) -> None:
        self._due = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
