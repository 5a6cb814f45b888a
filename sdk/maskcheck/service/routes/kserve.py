"""``/v2``: the Open Inference Protocol of KServe, which Triton and its clients speak, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from maskcheck._version import __version__
from maskcheck.errors import MaskCheckError
from maskcheck.log import LOGGER
from maskcheck.service.inference_models import InferenceModel, inference_models
from maskcheck.service.open_inference import JSON_LENGTH, read_request, write_answer
from maskcheck.service.problems import Problem, as_problem
from maskcheck.service.service import Service

_VERSION = "1"
_MODEL = "/models/{name}"
_OF_VERSION = f"{_MODEL}/versions/{{version}}"
_ERROR = {"content": {"application/json": {"example": {"error": "what was expected, what came and what to do"}}}}


def router(service: Service) -> APIRouter:
    """The routes. Their errors are ``{"error": ...}``, as the protocol wants it."""
    models = inference_models(service)
    routes = APIRouter(prefix="/v2", tags=["kserve"], route_class=_route_class(service))
    for_work = [Depends(service.require_open)]
    refusals = _refusals(401, 403, 404, 503)

    def find(name: str, version: str = _VERSION) -> InferenceModel:
        if name not in models:
            raise Problem(404, f"expected the model {' or '.join(models)}, got {name}", reason="no_model")
        if version != _VERSION:
            raise Problem(404, f"{name}: expected version {_VERSION}, got {version}", reason="no_model")
        return models[name]

    @routes.get("", summary="What the server is", responses=refusals)
    async def server() -> dict[str, Any]:
        return {"name": "maskcheck", "version": __version__, "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live", summary="Whether the server lives", responses=refusals)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @routes.get("/health/ready", summary="Whether all models take requests", responses=refusals, dependencies=for_work)
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @routes.get(_OF_VERSION, summary="What a model takes and gives", responses=refusals, dependencies=for_work)
    @routes.get(_MODEL, summary="What a model takes and gives", responses=refusals, dependencies=for_work)
    async def metadata(name: str, version: str = _VERSION) -> dict[str, Any]:
        model = find(name, version)
        return {
            "name": name,
            "versions": [_VERSION],
            "platform": "maskcheck",
            "inputs": [model.wanted.to_dict()],
            "outputs": [info.to_dict() for info in model.outputs],
        }

    @routes.get(f"{_OF_VERSION}/ready", summary="Whether a model is ready", responses=refusals, dependencies=for_work)
    @routes.get(f"{_MODEL}/ready", summary="Whether a model is ready", responses=refusals, dependencies=for_work)
    async def model_ready(name: str, version: str = _VERSION) -> dict[str, Any]:
        find(name, version)
        return {"name": name, "ready": True}

    async def infer(request: Request, name: str, version: str = _VERSION) -> Response:
        model = find(name, version)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(415, "expected a body without Content-Encoding; send it uncompressed", reason="bad_tensor")
        async with service.call(request) as call:
            body = await call.body()

            async def answer() -> tuple[bytes, dict[str, str]]:
                # In a thread, as a large JSON takes its time.
                length = request.headers.get(JSON_LENGTH)
                read = partial(read_request, body, length, model.wanted, model.outputs, most=model.most)
                parsed = await asyncio.to_thread(read)
                tensors = await model.infer(parsed.tensor)
                head = {"model_name": name, "model_version": _VERSION}
                return await asyncio.to_thread(write_answer, head, tensors, model.outputs, parsed)

            content, headers = await call.run(answer)
            return Response(content, headers=headers)

    for path in (_MODEL, _OF_VERSION):
        routes.add_api_route(
            f"{path}/infer",
            infer,
            methods=["POST"],
            summary="Run a model",
            description="`maskcheck` takes encoded pictures, `maskcheck_classifier` face crops; tensors are JSON or"
            f" binary data behind it, whose length the header {JSON_LENGTH} then says.",
            response_class=Response,
            responses=_refusals(400, 401, 403, 404, 408, 413, 415, 429, 500, 503, 504),
            dependencies=for_work,
        )
    return routes


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": HTTPStatus(status).phrase, **_ERROR} for status in statuses}


def _route_class(service: Service) -> type[APIRoute]:
    class KserveRoute(APIRoute):
        """A route whose errors are those of the protocol."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_and_explain(request: Request) -> Response:
                try:
                    return await handle(request)
                except Problem as error:
                    problem = error
                except MaskCheckError as error:
                    problem = as_problem(error)
                    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                        LOGGER.error("%s", error, exc_info=error)
                service.metrics.refused.labels(problem.reason).inc()
                content = json.dumps({"error": problem.detail})
                return Response(content, problem.status, problem.headers, "application/json")

            return handle_and_explain

    return KserveRoute
