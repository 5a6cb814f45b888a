"""The application: the routes of the service, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from maskcheck._version import __version__
from maskcheck.pipeline import MaskPipeline
from maskcheck.service.documentation import add_schemas
from maskcheck.service.problems import add_handlers
from maskcheck.service.routes import detect, health, kserve, metrics, page, stream
from maskcheck.service.service import Service
from maskcheck.service.settings import ServiceSettings
from maskcheck.service.watching import Watching


def create_app(settings: ServiceSettings | None = None, pipeline: MaskPipeline | None = None) -> FastAPI:
    """The service as an ASGI application.

    Its models are loaded in the background when it starts. While they are, and when it ends, it answers 503.

    Args:
        settings: Limits and the like.
        pipeline: Finds and labels faces; by default, one is made from the settings, and closed at the end.

    Returns:
        The application. Its ``state.service`` is the :class:`Service`.

    Raises:
        MaskCheckError, ValueError: As :class:`MaskPipeline`.
    """
    settings = settings or ServiceSettings()
    # A picture that takes longer than its request may wait is given up, and does not keep a thread.
    service = Service(settings, pipeline or MaskPipeline(**{"timeout": settings.timeout, **settings.pipeline}))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loading = service.begin()
        if service.loads_first:
            await loading
        yield
        service.closing.set()
        # A thread that loads a model while the interpreter ends would abort the process.
        await asyncio.wait({loading}, timeout=settings.grace)
        if pipeline is None and service.traffic.idle.is_set():  # else it would wait for what hangs
            service.pipeline.close()

    # No pages for the documentation: FastAPI's load scripts from elsewhere.
    app = FastAPI(
        title="maskcheck",
        summary="Find the faces in pictures, and whether each wears a face mask",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    add_handlers(app, lambda reason: service.metrics.refused.labels(reason).inc())
    add_schemas(app, guarded=bool(settings.tokens))
    with_token = [Depends(service.require_token)]
    for_work = [*with_token, Depends(service.require_open)]
    app.include_router(health.router(service))
    app.include_router(metrics.router(service), dependencies=with_token)
    app.include_router(detect.router(service), dependencies=for_work)
    app.include_router(stream.router(service))
    app.include_router(kserve.router(service), dependencies=with_token)
    app.include_router(page.router(service))
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(Watching, metrics=service.metrics, traffic=service.traffic)
    return app
