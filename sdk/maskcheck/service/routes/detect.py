"""``POST /v1/detect``: the faces of one or several pictures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from maskcheck.frames import Frame
from maskcheck.results import FrameResult
from maskcheck.service.answers import choose_form
from maskcheck.service.calls import Call
from maskcheck.service.documentation import EXAMPLE_RESULT, RESULT, pictures, problems
from maskcheck.service.problems import Problem
from maskcheck.service.service import Service
from maskcheck.service.uploads import FIELD, Upload, read_uploads

_JSON = "application/json"
_FORM = "multipart/form-data"
_ENCODED = {"image/jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]), "image/png": (".png", [])}

_BODY = {
    "required": True,
    "content": {
        **pictures(("image/jpeg", "image/png", "image/webp", "application/octet-stream")),
        _FORM: {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                },
            }
        },
    },
}
_RESULTS = {"type": "object", "required": ["results"], "properties": {"results": {"type": "array", "items": RESULT}}}
_ANSWER: dict[str, Any] = {
    "description": "The faces: of one picture, or of each file of a form, or drawn on the picture.",
    "content": {
        _JSON: {
            "schema": {"anyOf": [RESULT, _RESULTS]},
            "examples": {
                "picture": {"summary": "One picture", "value": EXAMPLE_RESULT},
                "form": {"summary": "A form", "value": {"results": [EXAMPLE_RESULT]}},
            },
        },
        **pictures(_ENCODED),
    },
}


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1", tags=["detect"])

    @routes.post(
        "/detect",
        summary="Find the faces of pictures and label each",
        description="The body is one picture in any format that the SDK reads, or a form with one or several parts"
        " `file`. `Accept: image/jpeg` or `image/png` asks for the picture with boxes and labels drawn on it.",
        response_class=Response,
        responses={
            200: _ANSWER,
            **problems(400, 401, 403, 406, 408, 413, 415, 422, 429, 500, 503, 504),
        },
        openapi_extra={"requestBody": _BODY},
    )
    async def detect(
        request: Request,
        min_score: Annotated[
            float,
            Query(ge=0, le=1, description="Leave out faces of lower detection score; the service has its own least."),
        ] = 0.0,
        min_confidence: Annotated[
            float, Query(ge=0, le=1, description="Draw faces of lower confidence in grey, as unsure.")
        ] = 0.0,
    ) -> Response:
        form = choose_form(request.headers.get("accept", ""), (_JSON, *_ENCODED))
        content_type = request.headers.get("content-type", "application/octet-stream")
        kind = content_type.partition(";")[0].strip().lower()
        async with service.call(request) as call:
            uploads = await _uploads(call, kind, content_type, service.settings.max_pictures)
            if form != _JSON:
                if len(uploads) > 1:
                    raise Problem(
                        406,
                        f"expected one picture for an answer in {form}, got {len(uploads)}; ask for {_JSON}",
                        reason="not_acceptable",
                    )
                return Response(
                    await call.run(lambda: _drawn(service, uploads[0], form, min_score, min_confidence)),
                    media_type=form,
                )
            if kind != _FORM:
                result = await call.run(lambda: _detected(service, uploads[0], min_score))
                return _as_json(result.to_dict())
            results = await call.run(lambda: _all_detected(service, uploads, min_score))
            return _as_json({"results": [result.to_dict() for result in results]})

    return routes


async def _uploads(call: Call, kind: str, content_type: str, most: int) -> list[Upload]:
    if kind == _FORM:
        return await read_uploads(call.chunks(), content_type, most=most)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [Upload(None, await call.body())]
    raise Problem(
        415,
        "expected a picture (Content-Type: image/jpeg, image/png, ... or application/octet-stream) or a form"
        f" ({_FORM}), got {kind or 'no type'}",
        reason="no_picture_type",
    )


async def _detected(service: Service, upload: Upload, min_score: float, *, keep_image: bool = False) -> FrameResult:
    result = await service.detect(Frame(upload.content, upload.name), keep_image=keep_image)
    return _without_weak(result, min_score)


def _without_weak(result: FrameResult, min_score: float) -> FrameResult:
    kept = tuple(face for face in result if face.detection_score is None or face.detection_score >= min_score)
    return replace(result, faces=kept)


async def _all_detected(service: Service, uploads: Sequence[Upload], min_score: float) -> list[FrameResult]:
    """The results of several pictures, which share batches; one that cannot be read is a result with its error."""
    frames = (Frame(upload.content, upload.name) for upload in uploads)
    results = await asyncio.gather(*map(service.detect_or_error, frames))
    return [_without_weak(result, min_score) for result in results]


async def _drawn(service: Service, upload: Upload, form: str, min_score: float, min_confidence: float) -> bytes:
    result = await _detected(service, upload, min_score, keep_image=True)

    def draw() -> bytes:
        drawn = result.draw(min_confidence=min_confidence)
        ending, options = _ENCODED[form]
        return cv2.imencode(ending, drawn, options)[1].tobytes()

    return await asyncio.to_thread(draw)


def _as_json(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content, allow_nan=False), media_type=_JSON)
