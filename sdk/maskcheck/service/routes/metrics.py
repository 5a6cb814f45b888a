"""``GET /metrics``: what the service counts, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from maskcheck.service.documentation import problems
from maskcheck.service.service import Service


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["health"])

    @routes.get(
        "/metrics",
        summary="Counts and times, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **problems(401, 403),
        },
    )
    def metrics() -> Response:  # not async: with several workers it reads files, in a thread
        text, kind = service.metrics.text()
        return Response(text, media_type=kind)

    return routes
