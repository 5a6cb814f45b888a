"""A request within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from maskcheck.service.problems import Problem

if TYPE_CHECKING:
    from maskcheck.service.service import Service

Result = TypeVar("Result")


class Call:
    """A request that has a place inside: it may send its body, and have work done.

    :meth:`Service.call` gives one.
    """

    def __init__(self, service: Service, request: Request) -> None:
        self._service = service
        self._request = request

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Problem: 413, it is too large; 408, it takes too long to come.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Problem: As :meth:`body`.
        """
        most = self._service.settings.max_request_bytes
        taken = 0
        async for chunk in self._request.stream():
            taken += len(chunk)
            if taken > most:
                raise Problem(413, f"expected at most {most} bytes, got more", reason="too_many_bytes")
            yield chunk

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Have work done once it is the request's turn, while its caller waits, and within its time.

        Args:
            work: Begins the work. The work is cancelled when nobody waits for it any more.

        Raises:
            Problem: 504, it took too long; 499, the caller has gone.
        """
        async with self._service.admission.slot():
            return await asyncio.wait_for(work(), self._service.settings.timeout)


@asynccontextmanager
async def open_call(service: Service, request: Request) -> AsyncIterator[Call]:
    """A place for a request.

    Raises:
        Problem: 429, there is none.
    """
    with service.admission.place():
        yield Call(service, request)
