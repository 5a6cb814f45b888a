"""Repeated timing of one piece of work, and the figures that follow from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import get_clock_info, perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck_bench.measuring.effort import Effort, rounds_within

_TICKS = 100  # of the clock: a measurement should last at least so many
_BUSY = 1.1  # slowest process / fastest process; above it, something else was running


@dataclass(frozen=True)
class Timing:
    """Times of one piece of work.

    Attributes:
        name: What was done.
        items: Pictures or faces in one round.
        warmup: Rounds before the first measured round, in each process.
        processes: For each process that did the work, the milliseconds of each measured round, in order.
        group: Timings of one group are compared side by side.
        x: The place in the group's chart, such as the number of threads; None where the group is not a curve.
    """

    name: str
    items: int
    warmup: int
    processes: tuple[tuple[float, ...], ...]
    group: str = ""
    x: float | None = None

    @property
    def key(self) -> tuple[str, str, float | None]:
        """Identifies the timing in a report."""
        return self.group, self.name, self.x

    @property
    def medians(self) -> NDArray[np.float64]:
        """Milliseconds of the median round of each process: float64 (processes,)."""
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
            "notes": self._notes(median),
            "processes_ms": [[round(time, 4) for time in process] for process in self.processes],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Timing:
        """Read the result of :meth:`to_dict`.

        Raises:
            KeyError, TypeError, ValueError: The values have another form.
        """
        processes = tuple(tuple(float(time) for time in process) for process in values["processes_ms"])
        if not processes or not all(processes):
            raise ValueError("processes_ms: expected one time or more for each process")
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
    """A percentile and its 95 % confidence interval; None if there are too few times for the interval.

    Args:
        times: Milliseconds.
        share: 0.9 for the time that 90 % of the rounds do not exceed.
    """
    from scipy.stats import quantile_test  # slow to import: not in the processes that measure

    interval = quantile_test(times, p=share).confidence_interval(0.95)
    if math.isnan(interval.low) or math.isnan(interval.high):
        return None
    figures = {"value": np.percentile(times, 100 * share), "low": interval.low, "high": interval.high}
    return {name: round(float(figure), 3) for name, figure in figures.items()}


def measure(name: str, work: Callable[[], object], effort: Effort, *, items: int, group: str = "") -> Timing:
    """Do some work again and again in this process, first without a clock, then with one.

    The warm-up gets a quarter of the time that the effort allows for the measured rounds.

    Args:
        name: As in :class:`Timing`.
        work: One round.
        effort: Rounds, warm-up and time limit.
        items: Pictures or faces in one round.
        group: As in :class:`Timing`.
    """
    limit = math.inf if effort.timing_seconds is None else effort.timing_seconds
    warmup = 0
    for _ in rounds_within(effort.warmup, limit / 4):
        work()
        warmup += 1
    times = [time_once(work) for _ in rounds_within(effort.rounds, limit)]
    return Timing(name, items, warmup, (tuple(times),), group)


def time_once(work: Callable[[], object]) -> float:
    """Milliseconds that some work takes."""
    started = perf_counter()
    work()
    return (perf_counter() - started) * 1000


def join(timings: Iterable[Timing]) -> list[Timing]:
    """Merge timings of the same work in several processes, in the order in which each first appears."""
    joined: dict[tuple[str, str, float | None], Timing] = {}
    for timing in timings:
        first = joined.get(timing.key)
        joined[timing.key] = replace(first, processes=first.processes + timing.processes) if first else timing
    return list(joined.values())
