"""The server: uvicorn, one process or several, and how it ends."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from PIL import Image
from uvicorn.supervisors import Multiprocess

from maskcheck.errors import MaskCheckError
from maskcheck.pipeline import MaskPipeline
from maskcheck.service.app import create_app
from maskcheck.service.http_protocol import TimedH11Protocol
from maskcheck.service.metrics import share_counts
from maskcheck.service.service import Service
from maskcheck.service.settings import ServiceSettings


def serve(
    settings: ServiceSettings, *, host: str, port: int, workers: int = 1, announce: Callable[[str], object]
) -> None:
    """Serve until Ctrl-C or SIGTERM. Requests that were accepted are answered then; new ones get 503.

    Args:
        settings: Of the service.
        host: Address or name to listen on.
        port: Its port; 0 for a free one.
        workers: Processes; each has its own pipeline and its own limits.
        announce: Gets the address of the service, once it listens.

    Raises:
        MaskCheckError: The models cannot be loaded, or there is no such address, or another program has it.
        ValueError: A setting of the pipeline is out of its range.
    """
    pipeline = MaskPipeline(**settings.pipeline)
    if workers > 1:
        pipeline.warm_up()  # a fault ends the command; a process that fails would be started again and again
    listening = listen(host, port)
    announce(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
    # What comes before the server listens to signals is kept for it. When it has ended, it raises its signal again.
    early: list[int] = []
    earlier = {
        number: signal.signal(number, lambda number, _frame: early.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        if workers == 1:
            _serve_here(settings, pipeline, listening, early)
        elif not early:
            del pipeline
            _serve_in_processes(settings, listening, workers)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; 0 is any free port.

    Raises:
        MaskCheckError: Another program has that address, or it is not of this computer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        raise MaskCheckError(
            f"cannot listen on {host}, port {port}: {reason}; --host and --port choose another address"
        ) from error
    # asyncio sets it only on sockets that name their protocol. Without it, the second part of an answer waits for the
    # client's acknowledgement of the first one, which clients delay: 40 ms a request.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _serve_here(
    settings: ServiceSettings, pipeline: MaskPipeline, listening: socket.socket, early: Sequence[int]
) -> None:
    app = make_app(settings, pipeline, early)
    service: Service = app.state.service
    uvicorn.Server(server_config(app, settings)).run(sockets=[listening])
    if service.failure is not None:
        raise service.failure


def _serve_in_processes(settings: ServiceSettings, listening: socket.socket, workers: int) -> None:
    with TemporaryDirectory(prefix="maskcheck-metrics-", ignore_cleanup_errors=True) as folder:
        share_counts(Path(folder))
        config = server_config(partial(make_app, settings), settings, factory=True, workers=workers)
        Multiprocess(config, sockets=[listening]).run()


def make_app(settings: ServiceSettings, pipeline: MaskPipeline | None = None, early: Sequence[int] = ()) -> FastAPI:
    """The application of a process, which ends gracefully on a signal, also on one that came `early`."""
    Image.MAX_IMAGE_PIXELS = None  # the limits of the settings take the place of Pillow's own
    app = create_app(settings, pipeline)
    service: Service = app.state.service
    service.on_begin = partial(_drain_before_the_end, service, early)
    service.loads_first = pipeline is None  # else callers would come to this process, and another one could answer them
    service.on_failure = partial(signal.raise_signal, signal.SIGTERM)
    return app


def server_config(app: FastAPI | Callable[[], FastAPI], settings: ServiceSettings, **options: Any) -> uvicorn.Config:
    """What uvicorn is told, for an application or what makes one."""
    return uvicorn.Config(
        app,
        http=TimedH11Protocol,
        ws_max_size=settings.max_request_bytes,
        ws_per_message_deflate=False,  # pictures are compressed
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(min(settings.grace, 5)),  # after all was answered, or had its time
        **options,
    )


def _drain_before_the_end(service: Service, early: Sequence[int]) -> None:
    """Have a signal first end the service, and then the server, which takes no connections from then on.

    Args:
        service: It begins.
        early: Signals that came before.
    """
    loop = asyncio.get_running_loop()
    end_server: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    draining: list[asyncio.Task[None]] = []

    async def drain(number: int) -> None:
        await service.drain()
        end_server[number](number, None)

    def begin(number: int) -> None:
        if not draining:
            draining.append(loop.create_task(drain(number)))

    def handle(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and service.closing.is_set():  # Ctrl-C once more: at once
            end_server[number](number, frame)
        loop.call_soon_threadsafe(begin, number)

    for number in end_server:
        signal.signal(number, handle)
    for number in early:
        begin(number)
