"""How many requests there may be at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from maskcheck.service.problems import Problem

RETRY_AFTER = {"Retry-After": "1"}
"""A header that says after how many seconds a caller that was refused may try again."""


class Admission:
    """Counts the requests that are inside; some are worked on, the others wait.

    Args:
        concurrent: Most that are worked on at once.
        queue: Most that are inside beside them.
        on_change: Called after each change.
    """

    def __init__(self, concurrent: int, queue: int, on_change: Callable[[], object] = lambda: None) -> None:
        self._most = concurrent + queue
        self._slots = asyncio.Semaphore(concurrent)
        self._on_change = on_change
        self.inside = 0
        self.working = 0

    @property
    def waiting(self) -> int:
        """Requests that are inside and not worked on: their body still comes, or they wait for their turn."""
        return self.inside - self.working

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place inside.

        Raises:
            Problem: 429, there is none.
        """
        if self.inside >= self._most:
            raise Problem(
                429,
                f"{self.inside} requests are being answered already, the most that this service takes; try again later",
                reason="queue_full",
                headers=RETRY_AFTER,
            )
        self.inside += 1
        self._on_change()
        try:
            yield
        finally:
            self.inside -= 1
            self._on_change()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The turn of a request that is inside, once it comes."""
        async with self._slots:
            self.working += 1
            self._on_change()
            try:
                yield
            finally:
                self.working -= 1
                self._on_change()
