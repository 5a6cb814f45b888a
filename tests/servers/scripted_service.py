"""A service with the page and the HTTP interface of the real one, whose answers a test sets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from waiting import wait_until

from maskcheck import MaskPipeline
from maskcheck.service.routes import page
from maskcheck.service.service import Service
from maskcheck.service.settings import ServiceSettings


def face(box: tuple[int, int, int, int], label: str, confidence: float, **more: Any) -> dict[str, Any]:
    """A face of a result."""
    probabilities = {label: confidence, "other": round(1 - confidence, 6)}
    shares = {"confidence": confidence, "probabilities": probabilities, "detection_score": 0.9}
    return {"box": list(box), "label": label, **shares, **more}


class ScriptedService:
    """What the service answers, and what it was asked.

    Attributes:
        faces: Of each picture and frame.
        refusals: Of the next requests: status and headers, each used once.
        closings: Of the next connections of the stream: codes, each used once, after the handshake.
        answers: While it is cleared, frames are taken and not answered.
        token: What callers must give; none by default.
        ready: What ``/readyz`` says.
        given: Tokens, or None, that came with requests and connections.
        types: Content types of the pictures that came.
        frames: JPEG of the frames that came.
    """

    def __init__(self, token: str = "") -> None:
        self.faces = [face((10, 20, 110, 150), "with_mask", 0.98), face((200, 40, 290, 160), "without_mask", 0.91)]
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.closings: list[int] = []
        self.answers = threading.Event()
        self.answers.set()
        self.token = token
        self.ready = True
        self.given: list[str | None] = []
        self.types: list[str] = []
        self.frames: list[bytes] = []

    def result(self, data: bytes, **more: Any) -> dict[str, Any] | None:
        """The `maskcheck/1` object of a picture; None if OpenCV cannot read it."""
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            return None
        height, width = pixels.shape[:2]
        timings = dict.fromkeys(("decode", "detect", "classify", "total"), 1.0)
        size = {"width": width, "height": height}
        known = {"schema": "maskcheck/1", "source": None, "frame": 0, **size, "timings_ms": timings, "error": None}
        return {**known, "faces": self.faces, **more}

    def app(self) -> FastAPI:
        """The application."""
        app = FastAPI()

        @app.get("/readyz")
        async def readyz() -> Response:
            if not self.ready:
                return Response(status_code=503)
            return JSONResponse({"detector": "scripted", "providers": ["CPUExecutionProvider"]})

        @app.post("/v1/detect")
        async def detect(request: Request) -> Response:
            token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
            self.given.append(token)
            body = await request.body()
            if self.token and token != self.token:
                return problem(401, "expected a token")
            if self.refusals:
                status, headers = self.refusals.pop(0)
                return problem(status, "it takes too long; send a smaller picture", headers)
            self.types.append(request.headers["content-type"])
            result = self.result(body)
            if result is None:
                return problem(422, "expected a picture, got something else; send a JPEG")
            if request.headers["accept"] == "image/jpeg":
                pixels = np.full((result["height"], result["width"], 3), 200, np.uint8)
                return Response(cv2.imencode(".jpg", pixels)[1].tobytes(), media_type="image/jpeg")
            return JSONResponse(result)

        @app.websocket("/v1/stream")
        async def stream(socket: WebSocket) -> None:
            offered = socket.headers.get("sec-websocket-protocol", "").replace(" ", "").split(",")
            await socket.accept(subprotocol="maskcheck.v1")
            given = [each.removeprefix("maskcheck.bearer.") for each in offered if "bearer" in each]
            self.given.append(given[0] if given else None)
            if self.closings:
                await socket.close(self.closings.pop(0))
                return
            await self._stream(socket)

        # Of the real service, the page asks for its settings alone.
        app.include_router(
            page.router(Service(ServiceSettings(tokens=(self.token,) * bool(self.token)), MaskPipeline()))
        )
        return app

    async def _stream(self, socket: WebSocket) -> None:
        frames: asyncio.Queue[bytes] = asyncio.Queue()

        async def answer() -> None:
            number = 0
            while True:
                frame = await frames.get()
                await asyncio.to_thread(self.answers.wait)
                await socket.send_json(self.result(frame, frame=number))
                number += 1

        answering = asyncio.create_task(answer())
        try:
            while True:
                frame = await socket.receive_bytes()
                self.frames.append(frame)
                frames.put_nowait(frame)
        except WebSocketDisconnect:
            answering.cancel()


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An answer that says what is wrong."""
    return JSONResponse({"title": "refused", "status": status, "detail": detail}, status, headers)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run an application in a thread: its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "the service starts", seconds=60)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(30)
