"""Several works measured round by round, in turns, so that noise of the machine meets all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from maskcheck_bench.measuring.outcome import Effort
from maskcheck_bench.measuring.timing import Timing, rounds_within

PATIENCE = 4
"""Time of a scenario's measured rounds, as a multiple of the effort's seconds; the warm-up has a quarter of it."""


@dataclass(frozen=True)
class Work:
    """One of the works.

    Attributes:
        name: As in :class:`Timing`.
        run: What to do.
        items: Pictures or faces in one round.
        x: As in :class:`Timing`.
    """

    name: str
    run: Callable[[], object]
    items: int
    x: float | None = None


def measure_in_turns(works: Sequence[Work], effort: Effort, *, group: str, settle: bool = False) -> tuple[Timing, ...]:
    """Do every work once a round, with a clock; all have the same number of rounds, in which they can be paired.

    Args:
        works: What to do.
        effort: Rounds and warm-up; fewer rounds where they would take too long.
        group: As in :class:`Timing`.
        settle: Do each work without a clock first, every time: threads that another work's session left spinning have
            gone to sleep by then.
    """
    warmup = 0
    for _ in rounds_within(effort.warmup, PATIENCE * effort.seconds / 4):
        for work in works:
            work.run()
        warmup += 1
    times: list[list[float]] = [[] for _ in works]
    for _ in rounds_within(effort.rounds, PATIENCE * effort.seconds):
        for work, measured in zip(works, times, strict=True):
            if settle:
                work.run()
            started = perf_counter()
            work.run()
            measured.append((perf_counter() - started) * 1000)
    return tuple(
        Timing(work.name, work.items, warmup, (tuple(measured),), group, work.x)
        for work, measured in zip(works, times, strict=True)
    )


def counts_up_to(most: int) -> list[int]:
    """1, 2, 4, 8, ... and `most` itself."""
    return sorted({2**power for power in range(most.bit_length())} | {most})
