"""What a refused request is told: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from maskcheck.errors import ImageError, ImageTooLarge, MaskCheckError, ModelTimeout, PictureTimeout
from maskcheck.log import LOGGER

MEDIA_TYPE = "application/problem+json"

CLIENT_GONE = 499
"""Status of a request whose caller did not wait for the answer; nobody gets it, but it is counted."""


class Problem(Exception):
    """A request is refused, or failed.

    Args:
        status: The HTTP status.
        detail: What was expected, what came and what to do.
        reason: Why, in a word, for the counts of ``/metrics``; it is also the end of the problem's ``type``.
        headers: More headers of the answer.
    """

    def __init__(self, status: int, detail: str, *, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.headers = dict(headers or {})


def as_problem(error: MaskCheckError) -> Problem:
    """What a caller is told of an error of the SDK."""
    if isinstance(error, ImageTooLarge):
        return Problem(413, str(error), reason="picture_too_large")
    if isinstance(error, ImageError):
        return Problem(422, str(error), reason="no_readable_picture")
    if isinstance(error, (PictureTimeout, ModelTimeout)):
        return Problem(504, str(error), reason="took_too_long")
    return Problem(500, f"{type(error).__name__}: {error}", reason="failed")


def as_logged_problem(error: MaskCheckError) -> Problem:
    """The same; a failure of the service is written to its log."""
    problem = as_problem(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        LOGGER.error("%s", error, exc_info=error)
    return problem


def add_handlers(app: FastAPI, on_refusal: Callable[[str], object]) -> None:
    """Have the application answer with problems where something is refused or fails.

    Args:
        app: The application.
        on_refusal: Gets the reason of each.
    """

    def answer(problem: Problem) -> Response:
        on_refusal(problem.reason)
        title = "Client Closed Request" if problem.status == CLIENT_GONE else HTTPStatus(problem.status).phrase
        content = {
            "type": f"urn:maskcheck:problem:{problem.reason}",
            "title": title,
            "status": problem.status,
            "detail": problem.detail,
        }
        return Response(json.dumps(content), problem.status, problem.headers, MEDIA_TYPE)

    @app.exception_handler(Problem)
    async def refuse(_request: Request, problem: Problem) -> Response:
        return answer(problem)

    @app.exception_handler(MaskCheckError)
    async def fail(_request: Request, error: MaskCheckError) -> Response:
        return answer(as_logged_problem(error))

    @app.exception_handler(Exception)
    async def fail_unexpectedly(_request: Request, error: Exception) -> Response:  # the server logs it
        detail = f"{type(error).__name__}; the log of the service says more"
        return answer(Problem(500, detail, reason="failed"))

    @app.exception_handler(RequestValidationError)
    async def refuse_parameters(_request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return answer(Problem(422, faults, reason="bad_parameters"))

    @app.exception_handler(HTTPException)
    async def refuse_address(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} {request.url.path}: {error.detail}; /openapi.json lists what there is"
        return answer(Problem(error.status_code, detail, reason="bad_address", headers=error.headers))
