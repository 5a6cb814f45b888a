"""Repeated timing of one piece of work, and what may be said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import get_clock_info, perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CONFIDENT = 1.96  # standard deviations that hold 95 % of a normal distribution
_TICKS = 100  # of the clock, that a measurement should last at least
_BUSY = 1.1  # ratio of the slowest process to the fastest, above which something else was running


@dataclass(frozen=True)
class Timing:
    """Times of one piece of work.

    Attributes:
        name: What was done.
        items: Pictures or faces in one round.
        warmup: Rounds before the first measured one, in each process.
        processes: Milliseconds of each measured round, in order, of each process that did the work.
        group: Timings of one group are looked at side by side.
        x: Where in its group's chart it stands: the number of threads, say; None where the group is no curve.
    """

    name: str
    items: int
    warmup: int
    processes: tuple[tuple[float, ...], ...]
    group: str = ""
    x: float | None = None

    @property
    def key(self) -> tuple[str, str, float | None]:
        """What tells it from other timings of a report."""
        return self.group, self.name, self.x

    @property
    def medians(self) -> NDArray[np.float64]:
        """Milliseconds of the median round of each process."""
        return np.array([np.median(times) for times in self.processes])

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; ``p90_ms`` and ``p99_ms`` are None where there are too few rounds for them."""
        times = np.sort(np.concatenate(self.processes))
        median = float(np.median(times))
        medians = self.medians
        return {
            "name": self.name,
            "group": self.group,
            "x": self.x,
            "items": self.items,
            "warmup": self.warmup,
            "rounds": len(times),
            "median_ms": round(median, 3),
            "min_ms": round(float(times[0]), 3),
            "max_ms": round(float(times[-1]), 3),
            "p90_ms": percentile(times, 0.9),
            "p99_ms": percentile(times, 0.99),
            "items_per_second": round(self.items / median * 1000, 2),
            "spread_of_processes": round(float(medians.max() / medians.min()), 3),
            "notes": list(self._notes(median)),
            "processes_ms": [[round(one, 4) for one in process] for process in self.processes],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Timing:
        """Read what :meth:`to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        processes = tuple(tuple(float(one) for one in process) for process in values["processes_ms"])
        if not processes or not all(processes):
            raise ValueError("processes_ms: expected one time or more of each process")
        x = None if values["x"] is None else float(values["x"])
        return cls(str(values["name"]), int(values["items"]), int(values["warmup"]), processes, str(values["group"]), x)

    def _notes(self, median: float) -> list[str]:
        notes = []
        spread = self.medians.max() / self.medians.min()
        if spread > _BUSY:
            notes.append(
                f"the slowest process took {spread:.2f} times as long as the fastest: something else was running"
            )
        tick = get_clock_info("perf_counter").resolution * 1000
        if median < _TICKS * tick:
            notes.append(f"the clock's tick of {tick:g} ms is too coarse for this")
        return notes


def percentile(times: Sequence[float] | NDArray[np.float64], share: float) -> dict[str, float] | None:
    """A percentile and its 95 % confidence interval, from order statistics; None if there are too few times for it.

    The interval's ranks are those of the normal approximation of the binomial distribution (Conover, "Practical
    Nonparametric Statistics", 1999, section 3.2); it is told only if both ranks are among the measured.

    Args:
        times: Milliseconds, rising.
        share: 0.9 for the time that 90 % do not exceed.
    """
    count = len(times)
    margin = _CONFIDENT * (count * share * (1 - share)) ** 0.5
    low, high = int(np.floor(count * share - margin)), int(np.ceil(count * share + margin))
    if low < 1 or high > count:
        return None
    value = float(np.percentile(times, 100 * share))
    return {"value": round(value, 3), "low": round(float(times[low - 1]), 3), "high": round(float(times[high - 1]), 3)}


def measure(
    name: str,
    work: Callable[[], object],
    *,
    items: int,
    rounds: int,
    warmup: int,
    seconds: float | None = None,
    group: str = "",
    x: float | None = None,
) -> Timing:
    """Do some work `warmup` times, then `rounds` times with a clock, in this process; fewer where that takes too long.

    Args:
        name: What it is.
        work: What to do.
        items: Pictures or faces in one round.
        rounds: Measured rounds, 1 or more.
        warmup: Rounds before them, which are not measured.
        seconds: After so long, no further round begins; the warm-up has a quarter of it. None for no limit.
        group: As in :class:`Timing`.
        x: As in :class:`Timing`.
    """
    limit = math.inf if seconds is None else seconds
    warmed = 0
    for _ in rounds_within(warmup, limit / 4):
        work()
        warmed += 1
    times = []
    for _ in rounds_within(rounds, limit):
        started = perf_counter()
        work()
        times.append((perf_counter() - started) * 1000)
    return Timing(name, items, warmed, (tuple(times),), group, x)


def rounds_within(rounds: int, seconds: float) -> Iterator[int]:
    """Numbers of rounds, from 1; after the first, none begins once the time is over."""
    started = perf_counter()
    for number in range(1, rounds + 1):
        if number > 1 and perf_counter() - started > seconds:
            return
        yield number


def join(timings: Sequence[Timing]) -> list[Timing]:
    """Timings of one thing, from several processes, made one; in the order in which the things first come."""
    joined: dict[tuple[str, str, float | None], Timing] = {}
    for one in timings:
        before = joined.get(one.key)
        joined[one.key] = one if before is None else replace(before, processes=before.processes + one.processes)
    return list(joined.values())
