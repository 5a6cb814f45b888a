"""How threads and iterators end: soon after Ctrl-C, and before the interpreter does."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import suppress
from time import monotonic
from typing import Protocol
from weakref import WeakSet

GRACE = 1.0
"""Seconds that the end of an iterator waits for threads that are at work, and Ctrl-C for what is nearly finished."""

_LAST_GRACE = 10.0  # seconds that the end of the program waits for threads at work


class Interruption:
    """The wish that an iterator ends: then nothing is taken, and nothing waited for long.

    Args:
        stop: Set by whoever wants the iterator to end, from any thread or a signal handler. Ctrl-C has the same
            effect, and is raised after what is nearly finished.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.error: KeyboardInterrupt | None = None
        self._stop = stop
        self._deadline: float | None = None

    def begin(self, error: KeyboardInterrupt) -> None:
        """Give what is nearly finished a last moment; the error is raised then."""
        self.error = self.error or error
        self._deadline = self._deadline or monotonic() + GRACE

    @property
    def deadline(self) -> float | None:
        """When the last moment ends, by ``monotonic``; None if nobody wants the end."""
        if self._deadline is None and self._stop is not None and self._stop.is_set():
            self._deadline = monotonic() + GRACE
        return self._deadline


class Closable(Protocol):
    """Owns threads."""

    def close(self, grace: float) -> None:
        """End the threads; wait so many seconds for those at work."""


def register(owner: Closable) -> None:
    """Have the owner closed at the end of the program, if nobody closes it before."""
    with _registering:
        _open.add(owner)


def unregister(owner: Closable) -> None:
    """The owner was closed."""
    with _registering:
        _open.discard(owner)


def leave(thread: threading.Thread) -> None:
    """A thread works on something whose result nobody waits for."""
    with _registering:
        _left.add(thread)


def stuck_threads() -> tuple[threading.Thread, ...]:
    """Threads that still work on something whose result nobody waits for.

    They end after it. The end of a program waits some seconds for them. After that it may crash in native code, which
    ``os._exit`` avoids.
    """
    with _registering:
        return tuple(thread for thread in _left if thread.is_alive())


_registering = threading.RLock()  # garbage collection may close an iterator at any time
_open: WeakSet[Closable] = WeakSet()
_left: WeakSet[threading.Thread] = WeakSet()


def _after_fork() -> None:
    """In a child process none of the threads is there, and one of them may have held the lock."""
    global _registering
    _registering = threading.RLock()
    _open.clear()
    _left.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _end_all() -> None:
    """End what was not closed, and wait for threads at work: native code crashes in an interpreter that has ended."""
    with _registering:
        owners = tuple(_open)
    with suppress(KeyboardInterrupt):
        for owner in owners:
            owner.close(0)
        deadline = monotonic() + _LAST_GRACE
        for thread in stuck_threads():
            thread.join(max(deadline - monotonic(), 0))
