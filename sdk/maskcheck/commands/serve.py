"""``maskcheck serve``: the HTTP service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.group import require_extra
from maskcheck.commands.options import (
    classifier_options,
    detector_options,
    limit_options,
    session_options,
)

if TYPE_CHECKING:
    from maskcheck.pictures.limits import DecodingLimits


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="Port to listen on.")
@detector_options
@classifier_options
@session_options
@limit_options
def serve(host: str, port: int, limits: DecodingLimits, providers: tuple[str, ...], **options: Any) -> None:
    """Serve the pipeline over HTTP, on this computer alone unless --host says otherwise."""
    require_extra("serve", "fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client", "scipy")
    import uvicorn

    from maskcheck.service.app import create_app
    from maskcheck.service.settings import ServiceSettings

    settings = ServiceSettings(pipeline={"limits": limits, "providers": providers or None, **options})
    uvicorn.run(create_app(settings), host=host, port=port)
