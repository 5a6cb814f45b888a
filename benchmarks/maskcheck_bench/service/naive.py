"""A service as one writes it in ten lines, to compare with: no shared batches, no limits."""

from __future__ import annotations

import socket
import sys
from typing import Any

import click
import uvicorn
from fastapi import Body, FastAPI

from maskcheck import MaskPipeline
from maskcheck.commands.options import detector_options


@click.command()
@detector_options
@click.option("--model")
def main(detector: str, detector_options: dict[str, str], model: str | None, **_: object) -> None:
    """Serve until the process is ended."""
    pipeline = MaskPipeline(detector, detector_options=detector_options, model=model)
    pipeline.warm_up()
    app = FastAPI()

    @app.post("/v1/detect")
    def detect(body: bytes = Body(media_type="application/octet-stream")) -> dict[str, Any]:
        return pipeline(body).to_dict()

    @app.get("/readyz")
    def readyz() -> str:
        return "ready"

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvicorn's own sockets have it
    print(f"serving on http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None)).run(sockets=[listening])


if __name__ == "__main__":
    main()
