"""``/v2``: the Open Inference Protocol of KServe, which Triton and its clients speak, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from pydantic import WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from maskcheck._version import __version__
from maskcheck.errors import MaskCheckError
from maskcheck.service.inference_models import InferenceModel, inference_models
from maskcheck.service.open_inference import JSON_LENGTH, read_request, write_answer
from maskcheck.service.problems import Problem, as_logged_problem
from maskcheck.service.service import Service

_VERSION = "1"

# Documented only: an unknown name gets an answer in the words of the protocol.
Name = Annotated[str, WithJsonSchema({"type": "string", "enum": ["maskcheck", "maskcheck_classifier"]})]
Version = Annotated[str, WithJsonSchema({"type": "string", "enum": [_VERSION]})]

_ERROR = {"content": {"application/json": {"example": {"error": "what was expected, what came and what to do"}}}}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string", "enum": ["picture", "faces"]},
        "datatype": {"type": "string", "enum": ["BYTES", "UINT8"]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": {"type": "integer", "description": "Bytes behind the JSON."}},
        },
        "data": {"type": "array", "items": {}, "description": "The elements, if they are not behind the JSON."},
    },
}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string"},
                    "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _TENSOR},
                    "outputs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string"},
                                "parameters": {
                                    "type": "object",
                                    "properties": {"binary_data": {"type": "boolean"}},
                                },
                            },
                        },
                    },
                    "parameters": {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}},
                },
            },
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
_ANSWER = {
    "description": "The outputs, as JSON, or as binary data behind it.",
    "content": {
        "application/json": {"schema": {"type": "object", "required": ["model_name", "model_version", "outputs"]}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}


def router(service: Service) -> APIRouter:
    """The routes. Their errors are ``{"error": ...}``, as the protocol wants it."""
    models = inference_models(service)
    errors = _route_class(service)
    for_work = [Depends(service.require_open)]
    routes = APIRouter(prefix="/v2", tags=["kserve"], route_class=errors, responses=_refusals(401, 403))
    of_model = APIRouter(route_class=errors, responses=_refusals(404, 503), dependencies=for_work)

    def find(name: str) -> InferenceModel:
        if name not in models:
            raise Problem(404, f"expected the model {' or '.join(models)}, got {name}", reason="no_model")
        return models[name]

    @routes.get("", summary="What the server is")
    async def server() -> dict[str, Any]:
        return {"name": "maskcheck", "version": __version__, "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live", summary="Whether the server lives")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @routes.get("/health/ready", summary="Whether it takes requests", responses=_refusals(503), dependencies=for_work)
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @of_model.get("", summary="What a model takes and gives")
    async def metadata(name: Name) -> dict[str, Any]:
        model = find(name)
        return {
            "name": name,
            "versions": [_VERSION],
            "platform": "maskcheck",
            "inputs": [model.wanted.to_dict()],
            "outputs": [info.to_dict() for info in model.outputs],
        }

    @of_model.get("/ready", summary="Whether a model takes requests")
    async def model_ready(name: Name) -> dict[str, Any]:
        find(name)
        return {"name": name, "ready": True}

    @of_model.post(
        "/infer",
        summary="Run a model",
        description="`maskcheck` takes encoded pictures, `maskcheck_classifier` face crops; tensors are JSON or binary"
        f" data behind it: the header {JSON_LENGTH} then says where they begin.",
        response_class=Response,
        responses={200: _ANSWER, **_refusals(400, 408, 413, 415, 429, 500, 504)},
        openapi_extra={"requestBody": _BODY},
    )
    async def infer(request: Request, name: Name) -> Response:
        model = find(name)
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

    routes.include_router(of_model, prefix="/models/{name}")
    of_version = [Depends(_check_version)]
    routes.include_router(of_model, prefix="/models/{name}/versions/{version}", dependencies=of_version)
    return routes


def _check_version(version: Version) -> None:
    if version != _VERSION:
        raise Problem(404, f"expected version {_VERSION}, got {version}", reason="no_model")


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
                    problem = as_logged_problem(error)
                service.metrics.refused.labels(problem.reason).inc()
                content = json.dumps({"error": problem.detail})
                return Response(content, problem.status, problem.headers, "application/json")

            return handle_and_explain

    return KserveRoute
