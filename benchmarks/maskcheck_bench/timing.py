"""Repeated timing of one piece of work, and what may be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

TAIL = 5
"""A percentile is told only if at least this many measurements lie beyond it."""


@dataclass(frozen=True)
class Timing:
    """Times of one piece of work.

    Attributes:
        name: What was done.
        items: Pictures or faces in one round.
        warmup: Rounds before the first measured one.
        milliseconds: Of each measured round, in order.
    """

    name: str
    items: int
    warmup: int
    milliseconds: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; ``p90_ms`` is None where there are too few rounds for it."""
        times = np.array(self.milliseconds)
        median = float(np.median(times))
        enough = len(times) * 0.1 >= TAIL
        return {
            "name": self.name,
            "items": self.items,
            "warmup": self.warmup,
            "rounds": len(times),
            "median_ms": round(median, 3),
            "min_ms": round(float(times.min()), 3),
            "max_ms": round(float(times.max()), 3),
            "p90_ms": round(float(np.percentile(times, 90)), 3) if enough else None,
            "items_per_second": round(self.items / median * 1000, 2),
        }


def measure(name: str, work: Callable[[], object], *, items: int, rounds: int, warmup: int) -> Timing:
    """Do some work `warmup` times, then `rounds` times with a clock.

    Args:
        name: What it is.
        work: What to do.
        items: Pictures or faces in one round.
        rounds: Measured rounds, 1 or more.
        warmup: Rounds before them, which are not measured.
    """
    for _ in range(warmup):
        work()
    times = []
    for _ in range(rounds):
        started = perf_counter()
        work()
        times.append((perf_counter() - started) * 1000)
    return Timing(name, items, warmup, tuple(times))
