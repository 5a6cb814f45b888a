"""Waiting for a condition, with a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic


def wait_until(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait until a condition holds; fail after some seconds."""
    deadline = monotonic() + seconds
    look = threading.Event()
    while not condition():
        if monotonic() > deadline:
            raise AssertionError(f"not in {seconds:g} s: {what}")
        look.wait(0.005)
