"""``/healthz`` and ``/readyz``: whether the service lives, and whether it takes requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from maskcheck.service.service import Service


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Whether the service lives")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz", summary="Whether the service takes requests, and what it runs")
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
