"""``WS /v1/stream``: encoded frames in, results out, in order."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from maskcheck.errors import MaskCheckError, PictureTimeout
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.results import FrameResult
from maskcheck.service.origins import allows_origin
from maskcheck.service.service import Service
from maskcheck.service.tokens import STREAM_PROTOCOL
from maskcheck.tracking import ResultTracker

IN_FLIGHT = 4
"""Most frames of a connection that were read and not yet answered; then no more is read."""


class Closing(NamedTuple):
    """The code of a WebSocket's end (RFC 6455, 7.4, and IANA's list), and why."""

    code: int
    reason: str


_IDLE = Closing(1000, "no frame came for a while")
_ENDING = Closing(1001, "the service ends")
_NO_PICTURE = Closing(1003, "expected binary messages, each a picture")
_NOT_ALLOWED = Closing(1008, "no token of this service")
_FOREIGN = Closing(1008, "pages from elsewhere may not use this service")
_TOO_BIG = Closing(1009, "a frame has too many bytes")
_FAILED = Closing(1011, "the service failed; its log says more")
_FULL = Closing(1013, "no free place for a stream; try again later")
_NOT_READY = Closing(1013, "the models are not loaded; try again later")


def router(service: Service) -> APIRouter:
    """The route. It checks the token by itself, as a browser can send one only as a subprotocol."""
    routes = APIRouter(prefix="/v1")
    open_streams: set[WebSocket] = set()

    @routes.websocket("/stream")
    async def stream(socket: WebSocket, track: bool = True) -> None:
        asked = socket.scope.get("subprotocols", [])
        await socket.accept(STREAM_PROTOCOL if STREAM_PROTOCOL in asked else None)
        refusal = _refusal(service, socket, len(open_streams))
        if refusal is not None:
            service.metrics.refused.labels("stream").inc()
            await socket.close(*refusal)
            return
        open_streams.add(socket)
        service.metrics.streams.inc()
        try:
            ending = await _Stream(service, socket, ResultTracker() if track else None).run()
        except WebSocketDisconnect:
            ending = None
        except Exception:
            LOGGER.exception("a stream failed")
            ending = _FAILED
        finally:
            open_streams.discard(socket)
            service.metrics.streams.dec()
        if ending is not None:
            with suppress(WebSocketDisconnect, RuntimeError):  # the client has gone
                await socket.close(*ending)

    return routes


def _refusal(service: Service, socket: WebSocket, streams: int) -> Closing | None:
    """Why a connection is closed at once; None if it is not. Only an accepted one can be told a code."""
    tokens = service.tokens
    header = socket.headers.get("authorization")
    allowed = tokens.allow_protocols(socket.scope.get("subprotocols", [])) or tokens.allow_header(header)
    if not allowed:
        return _NOT_ALLOWED
    if not allows_origin(socket.headers, service.settings.cors):
        return _FOREIGN
    if service.closing.is_set():
        return _ENDING
    if not service.ready:
        return _NOT_READY
    return _FULL if streams >= service.settings.max_streams else None


class _Stream:
    """One connection. A task reads frames and has them worked on; another one answers them in order."""

    def __init__(self, service: Service, socket: WebSocket, tracker: ResultTracker | None) -> None:
        self._service = service
        self._socket = socket
        self._tracker = tracker
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._pending: asyncio.Queue[tuple[Frame, asyncio.Task[FrameResult]] | None] = asyncio.Queue()

    async def run(self) -> Closing | None:
        """Answer frames until the end; returns how to close the connection, None if the client has closed it."""
        reading = asyncio.create_task(self._read())
        answering = asyncio.create_task(self._answer())
        closing = asyncio.create_task(self._service.closing.wait())
        tasks = (reading, answering, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():  # only if it failed
                await answering
            ending = reading.result() if reading.done() else _ENDING
            if ending is not None:  # what was taken is answered
                reading.cancel()
                self._pending.put_nowait(None)
                await answering
            return ending
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while not self._pending.empty():
                left = self._pending.get_nowait()
                if left is not None:
                    left[1].cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await left[1]

    async def _read(self) -> Closing | None:
        settings = self._service.settings
        number, began = 0, monotonic()
        while True:
            try:
                async with asyncio.timeout(settings.stream_idle):
                    message = await self._socket.receive()
            except TimeoutError:
                return _IDLE
            if message["type"] == "websocket.disconnect":
                return None
            content = message.get("bytes")
            if content is None:
                return _NO_PICTURE
            if len(content) > settings.max_request_bytes:
                return _TOO_BIG
            await self._room.acquire()  # after reading, so that a client that waits for answers may go meanwhile
            frame = Frame(content, index=number, time=monotonic() - began)
            self._pending.put_nowait((frame, asyncio.create_task(self._service.detect(frame))))
            number += 1

    async def _answer(self) -> None:
        while (taken := await self._pending.get()) is not None:
            frame, working = taken
            try:
                result = await asyncio.wait_for(working, self._service.settings.timeout)
            except TimeoutError as error:
                result = _failed(frame, error if isinstance(error, MaskCheckError) else self._too_slow())
            except MaskCheckError as error:
                result = _failed(frame, error)
            else:
                if self._tracker is not None:
                    result = self._tracker.update(result)
            try:
                await self._socket.send_text(json.dumps(result.to_dict(), allow_nan=False))
            except RuntimeError as error:  # the server has closed the connection meanwhile
                raise WebSocketDisconnect(1006) from error
            self._room.release()

    def _too_slow(self) -> PictureTimeout:
        seconds = self._service.settings.timeout
        return PictureTimeout(f"the frame took longer than {seconds:g} s", source=None, timeout=seconds)


def _failed(frame: Frame, error: MaskCheckError) -> FrameResult:
    return FrameResult((), (0, 0), frame=frame.index, time=frame.time, error=error)
