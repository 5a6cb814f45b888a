"""``POST /v1/detect``: the faces of a picture."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from maskcheck.frames import Frame
from maskcheck.service.service import Service


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1", tags=["detect"])

    @routes.post("/detect", summary="Find the faces of a picture and label each")
    async def detect(request: Request) -> Response:
        async with service.call(request) as call:
            body = await call.body()
            result = await call.run(lambda: service.detect(Frame(body)))
        return JSONResponse(result.to_dict())

    return routes
