"""Streams of which only the time counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


def exhaust(results: Iterable[object]) -> None:
    """Go through all results and keep none."""
    deque(results, maxlen=0)
