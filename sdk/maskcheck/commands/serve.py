"""``maskcheck serve``: the HTTP service."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskcheck.commands.group import OWNS_PROCESS, require_extra
from maskcheck.commands.options import PIPELINE_SECTIONS, FilePath, pipeline_options
from maskcheck.commands.sections import SectionedCommand

if TYPE_CHECKING:
    from maskcheck.pictures.limits import DecodingLimits

_SECTIONS = {
    "Server": ("host", "port", "workers", "grace"),
    "Who may use it": ("token_file", "cors"),
    "Limits of requests": (
        "max_request_megabytes",
        "max_pictures",
        "max_concurrent",
        "max_queue",
        "timeout",
        "body_timeout",
        "max_streams",
    ),
    "Limits of pictures": (*PIPELINE_SECTIONS["Limits of a picture"], "max_faces"),
}

_seconds = click.FloatRange(min=0, min_open=True)


@click.command(cls=SectionedCommand, sections=_SECTIONS)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="Port; 0 for a free one.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes; each loads the models and has the limits below for itself.",
)
@click.option(
    "--grace",
    type=_seconds,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="At the end, time for the requests that were accepted.",
)
@click.option(
    "--token-file",
    type=FilePath(path_type=Path, exists=True, dir_okay=False),
    help="Callers need one of the tokens in it, one a line; those of the variable MASKCHECK_TOKENS count, too.",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN",
    help="Web pages of that origin, such as https://example.org, may use the service; repeat, or * for all.",
)
@click.option(
    "--max-request-megabytes",
    type=_seconds,
    default=20.0,
    show_default=True,
    help="Size of a request, and of a frame of a stream.",
)
@click.option("--max-pictures", type=click.IntRange(1), default=16, show_default=True, help="Pictures of a request.")
@click.option(
    "--max-concurrent",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Requests that are worked on at once.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(0),
    default=64,
    show_default=True,
    help="Requests beside them that may wait; more are told to come back (429).",
)
@click.option(
    "--timeout",
    type=_seconds,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time that a request may wait and be worked on (504), and each picture of it.",
)
@click.option(
    "--body-timeout",
    type=_seconds,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time in which a request must have come (408).",
)
@click.option(
    "--max-streams", type=click.IntRange(0), default=8, show_default=True, help="Connections of /v1/stream at once."
)
@pipeline_options
@click.pass_context
def serve(
    ctx: click.Context,
    /,
    host: str,
    port: int,
    workers: int,
    grace: float,
    token_file: Path | None,
    cors: tuple[str, ...],
    max_request_megabytes: float,
    max_pictures: int,
    max_concurrent: int,
    max_queue: int,
    timeout: float,
    body_timeout: float,
    max_streams: int,
    limits: DecodingLimits,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Serve faces and their labels over HTTP, and a page for the browser.

    Without options, programs and browsers on this computer may use it, and nobody else. POST a picture to /v1/detect;
    /openapi.json describes all addresses. Nothing is stored. Ctrl-C ends it, after the requests that were accepted.
    """
    require_extra("serve", "fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client", "scipy")
    from maskcheck.commands.exits import SUCCESS, end_process
    from maskcheck.service import server
    from maskcheck.service.settings import ServiceSettings
    from maskcheck.service.tokens import read_tokens

    def announce(address: str) -> None:
        click.echo(f"serving on {address}; Ctrl-C ends it", err=True)
        if not settings.tokens and not _is_loopback(host):
            click.echo("anybody who reaches that address may use it; --token-file asks callers for a token", err=True)

    try:
        settings = ServiceSettings(
            pipeline={"limits": limits, "providers": providers or None, "timeout": timeout, **options},
            max_request_bytes=max(1, round(max_request_megabytes * 1e6)),
            max_pictures=max_pictures,
            max_concurrent=max_concurrent,
            max_queue=max_queue,
            timeout=timeout,
            body_timeout=body_timeout,
            max_streams=max_streams,
            tokens=read_tokens(token_file, os.environ.get("MASKCHECK_TOKENS")),
            cors=cors,
            grace=grace,
        )

        server.serve(settings, host=host, port=port, workers=workers, announce=announce)
    except ValueError as error:  # it names the value that is out of range
        raise click.UsageError(str(error)) from None
    if ctx.meta.get(OWNS_PROCESS):
        end_process(SUCCESS)  # a thread that hangs in a detector is not waited for


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
