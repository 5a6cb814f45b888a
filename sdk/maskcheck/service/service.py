"""What all routes of the service share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from maskcheck.errors import MaskCheckError
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.service.calls import Call
from maskcheck.service.limits import RETRY_AFTER, Admission
from maskcheck.service.metrics import Metrics
from maskcheck.service.origins import allows_origin
from maskcheck.service.problems import Problem, as_problem
from maskcheck.service.settings import ServiceSettings
from maskcheck.service.tokens import Tokens
from maskcheck.service.watching import Traffic

bearer = HTTPBearer(auto_error=False, description="One of the tokens of the service, if it has any.")


class Service:
    """What all routes share: each module of :mod:`.routes` has ``router(service)``.

    Args:
        settings: Limits and the like.
        pipeline: Finds and labels faces.

    Attributes:
        settings: As given.
        pipeline: As given.
        admission: How many requests there may be at once.
        tokens: Who may use it.
        metrics: What is counted.
        traffic: What is under way.
        ready: Whether the models are loaded.
        failure: Why they cannot be loaded; None if nothing is known against it.
        on_failure: Called then.
        on_begin: Called when the server begins.
        loads_first: Whether the server takes no connection before the models are loaded.
        closing: Set when the service ends: no request is taken any more, and streams end.
    """

    def __init__(self, settings: ServiceSettings, pipeline: MaskPipeline) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.metrics = Metrics()
        self.traffic = Traffic()
        self.admission = Admission(
            settings.max_concurrent,
            settings.max_queue,
            on_change=lambda: self.metrics.queue.set(self.admission.waiting),
        )
        pipeline.on_batch = self.metrics.count_batch
        self.tokens = Tokens(settings.tokens)
        self.ready = False
        self.failure: Exception | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self.on_begin: Callable[[], object] = lambda: None
        self.loads_first = False
        self.closing = asyncio.Event()

    async def require_token(
        self, request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
    ) -> None:
        """A dependency of routes that only callers with a token may use.

        Raises:
            Problem: 401, there is no token, or another one; 403, a page from elsewhere asks.
        """
        if not self.tokens.allow_header(request.headers.get("authorization")):
            raise Problem(
                401,
                "expected the header `Authorization: Bearer TOKEN` with a token of this service",
                reason="no_token",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not allows_origin(request.headers, self.settings.cors):
            raise Problem(
                403,
                f"pages of {request.headers['origin']} may not use this service; its option --cors allows an origin",
                reason="foreign_page",
            )

    async def require_open(self) -> None:
        """A dependency of routes that have work done.

        Raises:
            Problem: 503, the models are not loaded yet, or the service ends.
        """
        if self.closing.is_set():
            raise Problem(
                503,
                "the service ends; try again later",
                reason="closing",
                headers={**RETRY_AFTER, "Connection": "close"},
            )
        if self.failure is not None:
            raise Problem(503, f"the models cannot be loaded: {self.failure}", reason="not_ready", headers=RETRY_AFTER)
        if not self.ready:
            raise Problem(503, "the models are being loaded; try again later", reason="not_ready", headers=RETRY_AFTER)

    @asynccontextmanager
    async def call(self, request: Request) -> AsyncIterator[Call]:
        """A place for a request; its body and its work are within the limits.

        ::

            async with service.call(request) as call:
                body = await call.body()
                result = await call.run(lambda: service.detect(Frame(body)))

        Raises:
            Problem: 429, there is no place.
        """
        with self.admission.place():
            yield Call(request, self.settings, self.admission)

    async def detect(self, frame: Frame, *, keep_image: bool = False) -> FrameResult:
        """The result of a picture, whose faces share batches with those of others; counted.

        Args:
            frame: The picture.
            keep_image: Give the result the decoded picture.

        Raises:
            MaskCheckError: As :meth:`MaskPipeline.submit`.
        """
        try:
            result = await asyncio.wrap_future(self.pipeline.submit(frame, keep_image=keep_image))
        except MaskCheckError:
            self.metrics.count(None)
            raise
        self.metrics.count(result)
        return result

    async def detect_or_error(self, frame: Frame) -> FrameResult:
        """The same for one picture of several: one that cannot be read is a result with its error.

        Raises:
            MaskCheckError: The fault is not that of the picture.
        """
        try:
            return await self.detect(frame)
        except MaskCheckError as error:
            if as_problem(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return FrameResult((), (0, 0), source=frame.source, error=error)

    def begin(self) -> asyncio.Future[None]:
        """Load the models in the background; :attr:`ready` or :attr:`failure` says how that went.

        Returns:
            A future that is done then.
        """
        self.on_begin()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def load() -> None:
            failure = None
            try:
                self.pipeline.warm_up()
                _ = self.pipeline.receipt
            except Exception as error:
                failure = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(loaded, failure)

        def loaded(failure: Exception | None) -> None:
            self.ready, self.failure = failure is None, failure
            done.set_result(None)
            if failure is not None:
                LOGGER.error("the models cannot be loaded: %s", failure)
                self.on_failure()

        threading.Thread(target=load, name="maskcheck-loading", daemon=True).start()
        return done

    async def drain(self) -> None:
        """Take no more requests, and wait for those under way; no longer than ``settings.grace``."""
        self.closing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.traffic.idle.wait(), self.settings.grace)
