"""The application: the routes of the service, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from maskcheck._version import __version__
from maskcheck.pipeline import MaskPipeline
from maskcheck.service.problems import add_handlers
from maskcheck.service.routes import detect, health, page
from maskcheck.service.service import Service
from maskcheck.service.settings import ServiceSettings


def create_app(settings: ServiceSettings | None = None, pipeline: MaskPipeline | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: Limits and the like.
        pipeline: Finds and labels faces; by default, one is made from the settings, and closed at the end.

    Returns:
        The application. Its ``state.service`` is the :class:`Service`.

    Raises:
        MaskCheckError, ValueError: As :class:`MaskPipeline`.
    """
    settings = settings or ServiceSettings()
    service = Service(settings, pipeline or MaskPipeline(**settings.pipeline))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await service.warm_up()
        yield
        if pipeline is None:
            service.pipeline.close()

    # No pages for the documentation: FastAPI's load scripts from elsewhere.
    app = FastAPI(title="maskcheck", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    add_handlers(app)
    with_token = [Depends(service.require_token)]
    for_work = [*with_token, Depends(service.require_open)]
    app.include_router(health.router(service))
    app.include_router(detect.router(service), dependencies=for_work)
    # The protocol of KServe goes here: app.include_router(kserve.router(service), dependencies=for_work)
    app.include_router(page.router(service))
    return app
