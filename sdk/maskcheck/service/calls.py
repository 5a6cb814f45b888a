"""A request within its limits: bytes, time, its turn, and whether somebody still waits for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

from maskcheck.service.limits import Admission
from maskcheck.service.problems import CLIENT_GONE, Problem
from maskcheck.service.settings import ServiceSettings

Result = TypeVar("Result")

LINGER = 5.0
"""Seconds in which the rest of a body that is too large may come, before the connection is closed."""


class Call:
    """A request that has a place inside: it may send its body, and have work done. :meth:`Service.call` gives one.

    Args:
        request: The request.
        settings: Its limits.
        admission: Gives it its turn.
    """

    def __init__(self, request: Request, settings: ServiceSettings, admission: Admission) -> None:
        self._request = request
        self._settings = settings
        self._admission = admission

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Problem: 413, it is too large; 408, it takes too long to come; 499, the caller has gone.
        """
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Problem: As :meth:`body`.
        """
        most = self._settings.max_request_bytes
        declared = self._request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most:
            await self._refuse_size(f"{declared} bytes")
        deadline = asyncio.get_running_loop().time() + self._settings.body_timeout
        taken, more = 0, True
        while more:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk, more = await self._receive()
            except TimeoutError:
                raise Problem(
                    408,
                    f"expected the body within {self._settings.body_timeout:g} s, got {taken} bytes of it by then",
                    reason="slow_body",
                    headers={"Connection": "close"},
                ) from None
            taken += len(chunk)
            if taken > most:
                await self._refuse_size("more")
            yield chunk

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Have work done once it is the request's turn, while its caller waits, and within its time.

        Args:
            work: Begins the work. It is cancelled when nobody waits for it any more.

        Raises:
            Problem: 504, it took too long, or its turn did not come; 499, the caller has gone.
        """
        working = asyncio.ensure_future(self._in_turn(work))
        gone = asyncio.ensure_future(self._until_gone())
        try:
            await asyncio.wait((working, gone), timeout=self._settings.timeout, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if gone.done():
                raise _client_gone()
            raise Problem(
                504,
                f"no result within {self._settings.timeout:g} s; try again later, or send less at once",
                reason="took_too_long",
            )
        finally:
            working.cancel()
            gone.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def _in_turn(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async with self._admission.slot():
            return await work()

    async def _receive(self) -> tuple[bytes, bool]:
        """A part of the body, and whether more may follow."""
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise _client_gone()
        return message.get("body", b""), message.get("more_body", False)

    async def _until_gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    async def _refuse_size(self, got: str) -> None:
        """Refuse the body. What is on its way is let come, for a while: else the client would not see the answer.

        Raises:
            Problem: 413.
        """
        most = self._settings.max_request_bytes
        headers = {"Connection": "close"}
        if "expect" not in self._request.headers:  # that client waits, and has sent nothing
            try:
                async with asyncio.timeout(LINGER):
                    while (await self._receive())[1]:
                        pass
                    headers = {}
            except TimeoutError:
                pass
        raise Problem(
            413,
            f"expected at most {most} bytes in a request, got {got}; send a smaller picture, or fewer at once",
            reason="too_many_bytes",
            headers=headers,
        )


def _client_gone() -> Problem:
    return Problem(CLIENT_GONE, "the caller did not wait for the answer", reason="client_gone")
