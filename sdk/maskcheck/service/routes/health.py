"""``/healthz`` and ``/readyz``: whether the service lives, and whether it takes requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from maskcheck.service.documentation import problems
from maskcheck.service.service import Service

_ALIVE = {"status": "alive"}
_READY = {
    "status": "ready",
    "detector": "yunet",
    "model": "mask.onnx",
    "model_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "providers": ["CPUExecutionProvider"],
    "precision": "int8",
}


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.get(
        "/healthz",
        summary="Whether the service lives",
        responses={200: {"content": {"application/json": {"example": _ALIVE}}}},
    )
    async def healthz() -> dict[str, str]:
        return _ALIVE

    @routes.get(
        "/readyz",
        summary="Whether the service takes requests, and what it runs",
        responses={200: {"content": {"application/json": {"example": _READY}}}, **problems(503)},
    )
    async def readyz() -> dict[str, Any]:
        await service.require_open()
        receipt = service.pipeline.receipt
        return {
            "status": "ready",
            "detector": receipt.detector,
            "model": receipt.model,
            "model_sha256": receipt.model_sha256,
            "providers": list(receipt.providers),
            "precision": receipt.precision,
        }

    return routes
