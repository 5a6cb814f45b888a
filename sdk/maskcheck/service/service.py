"""What all routes of the service share."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from maskcheck.frames import Frame
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.service.calls import Call, open_call
from maskcheck.service.limits import RETRY_AFTER, Admission
from maskcheck.service.problems import Problem
from maskcheck.service.settings import ServiceSettings
from maskcheck.service.tokens import Tokens

bearer = HTTPBearer(auto_error=False, description="One of the tokens of the service, if it has any.")


class Service:
    """What all routes share: each module of :mod:`.routes` has ``router(service)``.

    Attributes:
        settings: Limits and the like.
        pipeline: Finds and labels faces.
        admission: How many requests there may be at once.
        tokens: Who may use it.
        ready: Whether the models are loaded.
        closing: Set when the service ends: no request is taken any more.
    """

    def __init__(self, settings: ServiceSettings, pipeline: MaskPipeline) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.admission = Admission(settings.max_concurrent, settings.max_queue)
        self.tokens = Tokens(settings.tokens)
        self.ready = False
        self.closing = asyncio.Event()

    async def require_token(self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        """A dependency of routes that only callers with a token may use.

        Raises:
            Problem: 401.
        """
        if not self.tokens.allow(given.credentials if given else None):
            raise Problem(
                401,
                "expected the header `Authorization: Bearer TOKEN` with a token of this service",
                reason="no_token",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def require_open(self) -> None:
        """A dependency of routes that have work done.

        Raises:
            Problem: 503, the models are not loaded yet, or the service ends.
        """
        if self.closing.is_set() or not self.ready:
            why = "the service ends" if self.closing.is_set() else "the models are being loaded"
            raise Problem(
                503,
                f"{why}; try again later",
                reason="closing" if self.closing.is_set() else "not_ready",
                headers={"Retry-After": RETRY_AFTER},
            )

    def call(self, request: Request) -> AbstractAsyncContextManager[Call]:
        """A place for a request; its body and its work are within the limits.

        ::

            async with service.call(request) as call:
                body = await call.body()
                result = await call.run(lambda: service.detect(Frame(body)))

        Raises:
            Problem: 429, there is no place.
        """
        return open_call(self, request)

    async def detect(self, frame: Frame) -> FrameResult:
        """The result of a picture, whose faces share batches with those of others.

        Raises:
            MaskCheckError: As :meth:`MaskPipeline.submit`.
        """
        return await asyncio.wrap_future(self.pipeline.submit(frame))

    async def warm_up(self) -> None:
        """Load the models.

        Raises:
            MaskCheckError: As :meth:`MaskPipeline.warm_up`.
        """
        await asyncio.to_thread(self.pipeline.warm_up)
        self.ready = True
