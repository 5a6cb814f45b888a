"""The service, run in a thread, with a detector whose work a test controls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray
from waiting import wait_until

from maskcheck import Detections, MaskPipeline
from maskcheck.service.app import create_app
from maskcheck.service.server import server_config
from maskcheck.service.service import Service
from maskcheck.service.settings import ServiceSettings


class NumberedDetector:
    """Finds two labelled faces in every picture, the first at its number; none in a picture of number 0.

    Args:
        act: Called with the number of each picture before its faces are found.

    Attributes:
        seen: Numbers of the pictures that it got.
    """

    labels = ("covered", "bare")

    def __init__(self, act: Callable[[int], object] = lambda _: None) -> None:
        self.act = act
        self.seen: list[int] = []

    def detect(self, image: NDArray[np.uint8], /) -> Detections:
        number = int(image[0, 0, 0])
        self.seen.append(number)
        self.act(number)
        if number == 0:
            return Detections.empty()
        boxes = np.array([[number, 5, number + 20, 25], [60, 30, 80, 50]], np.float32)
        probabilities = np.array([[0.75, 0.25], [0.1, 0.9]], np.float32)
        return Detections(boxes, np.array([0.9, 0.6], np.float32), None, probabilities)


def picture(number: int, ending: str = ".png", size: tuple[int, int] = (100, 60)) -> bytes:
    """An encoded picture of one colour, which is its number, and of that width and height."""
    pixels = np.full((size[1], size[0], 3), number, np.uint8)
    encoded: bytes = cv2.imencode(ending, pixels)[1].tobytes()
    return encoded


@dataclass
class Running:
    """A service that runs.

    Attributes:
        url: Its address.
        port: Its port.
        service: What its routes share.
        client: Sends requests to it.
        loop: Its event loop.
    """

    url: str
    port: int
    service: Service
    client: httpx.Client
    loop: asyncio.AbstractEventLoop

    def post(self, body: bytes, kind: str = "image/png", **options: Any) -> httpx.Response:
        """Send a picture."""
        headers = {"Content-Type": kind, **options.pop("headers", {})}
        return self.client.post("/v1/detect", content=body, headers=headers, **options)

    def count(self, line: str) -> float:
        """The number behind a line of ``/metrics``."""
        for each in self.service.metrics.text()[0].decode().splitlines():
            if each.startswith(line + " "):
                return float(each.rpartition(" ")[2])
        return 0.0


@contextmanager
def running(
    pipeline: MaskPipeline, settings: ServiceSettings | None = None, *, header_timeout: float = 10.0
) -> Iterator[Running]:
    """Run the service."""
    settings = settings or ServiceSettings(grace=1)
    app = create_app(settings, pipeline)
    service: Service = app.state.service
    config = server_config(app, settings, port=0, timeout_keep_alive=60)
    protocol = config.http
    config.http = type("Protocol", (protocol,), {"header_timeout": header_timeout})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started and service.ready, "the service starts", seconds=60)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield Running(url, port, service, client, server.servers[0].get_loop())
    finally:
        server.should_exit = True
        thread.join(30)
        pipeline.close()
    assert not thread.is_alive()
