"""Settings of the service."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ServiceSettings:
    """What the service runs, and what it allows. It can be pickled, for worker processes.

    Attributes:
        pipeline: Arguments of :class:`maskcheck.MaskPipeline`, by name.
        max_request_bytes: Most bytes of a request's body, and of a message of a stream.
        max_pictures: Most pictures of a request.
        max_concurrent: Most requests that are worked on at once.
        max_queue: Most requests beside them: their body still comes, or they wait for their turn.
        timeout: Seconds that a request may wait and be worked on, after its body has come; also those of a frame.
        body_timeout: Seconds that a request's body may take to come.
        max_streams: Most connections of ``/v1/stream`` at once.
        stream_idle: Seconds without a frame after which a stream is closed.
        tokens: Callers need one of these; with none, nobody needs one.
        cors: Origins of web pages, such as ``https://example.org``, that may use the service; ``*`` for all. Its own
            page always may.
        grace: Seconds that accepted requests have to be answered when the service ends.

    Raises:
        ValueError: A value is out of its range.
    """

    pipeline: Mapping[str, Any] = field(default_factory=dict)
    max_request_bytes: int = 20_000_000
    max_pictures: int = 16
    max_concurrent: int = 16
    max_queue: int = 64
    timeout: float = 30.0
    body_timeout: float = 30.0
    max_streams: int = 8
    stream_idle: float = 60.0
    tokens: tuple[str, ...] = field(default=(), repr=False)
    cors: tuple[str, ...] = ()
    grace: float = 30.0

    def __post_init__(self) -> None:
        for name, least in (
            ("max_request_bytes", 1),
            ("max_pictures", 1),
            ("max_concurrent", 1),
            ("max_queue", 0),
            ("max_streams", 0),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}: expected a whole number from {least}, got {value!r}")
        for name in ("timeout", "body_timeout", "stream_idle", "grace"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: expected seconds, more than 0, got {value!r}")
        if not all(self.tokens):
            raise ValueError("tokens: expected texts, got an empty one")
