"""The OpenAPI document: schemas and examples that the code of the routes does not show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from maskcheck.service.problems import MEDIA_TYPE

_RESULT_SCHEMA = Path(__file__).parents[1] / "schemas" / "maskcheck-1.schema.json"
_COMPONENTS = "#/components/schemas/"

RESULT = {"$ref": f"{_COMPONENTS}Result"}
"""Schema of a result, ``maskcheck/1``."""

EXAMPLE_RESULT: dict[str, Any] = {
    "schema": "maskcheck/1",
    "source": "door.jpg",
    "frame": 0,
    "width": 640,
    "height": 480,
    "faces": [
        {
            "box": [212, 97, 335, 262],
            "label": "with_mask",
            "confidence": 0.9984,
            "probabilities": {"with_mask": 0.9984, "without_mask": 0.0016},
            "detection_score": 0.9731,
        }
    ],
    "timings_ms": {"decode": 3.1, "detect": 14.2, "classify": 21.5, "total": 38.8},
    "error": None,
}
"""A result of one face."""

_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "Why a request was refused, or failed (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:maskcheck:problem:REASON"},
        "title": {"type": "string", "description": "What the status means."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What was expected, what came and what to do."},
    },
    "example": {
        "type": "urn:maskcheck:problem:no_readable_picture",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "the file is not a picture in a known format (it begins with b'hello')",
    },
}

_WHY = {
    400: "The body is no form.",
    401: "No token, or another one.",
    403: "A web page from elsewhere asks.",
    406: "The answer cannot have the form that is asked for.",
    408: "The body takes too long to come.",
    413: "Too many bytes, pixels or pictures.",
    415: "The body is neither a picture nor a form.",
    422: "A parameter is out of its range, or there is no readable picture.",
    429: "Too many requests at once; Retry-After says when to come back.",
    500: "Something failed in the service; its log says more.",
    503: "The models are being loaded, or the service ends; Retry-After says when to come back.",
    504: "It took too long.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of refusals, for ``responses`` of a route."""
    documented: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        documented[status] = {
            "description": _WHY.get(status, HTTPStatus(status).phrase),
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_COMPONENTS}Problem"}}},
        }
        if status in (429, 503):
            documented[status]["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}}
            }
    return documented


def add_schemas(app: FastAPI, *, guarded: bool) -> None:
    """Have the application's OpenAPI document hold the schemas that its routes refer to.

    Args:
        app: The application.
        guarded: Whether callers need a token; if not, the document asks for none.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
        if not guarded:
            document["components"].pop("securitySchemes", None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation.pop("security", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's way


@cache
def _schemas() -> dict[str, Any]:
    result = json.loads(_RESULT_SCHEMA.read_text(encoding="utf-8"))
    parts = result.pop("$defs")
    for key in ("$schema", "$id"):
        del result[key]
    names = {f"#/$defs/{name}": f"{_COMPONENTS}Result{name.title()}" for name in parts}
    schemas = {"Result": result, **{f"Result{name.title()}": part for name, part in parts.items()}}
    return {"Problem": _PROBLEM, **_renamed(schemas, names)}


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """A schema with other targets of its references."""
    if isinstance(value, dict):
        return {
            key: names[part] if key == "$ref" and part in names else _renamed(part, names)
            for key, part in value.items()
        }
    return [_renamed(part, names) for part in value] if isinstance(value, list) else value


def pictures(kinds: Iterable[str]) -> dict[str, Any]:
    """The documentation of pictures of some media types, as ``content``."""
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
