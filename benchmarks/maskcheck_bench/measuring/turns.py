"""Several pieces of work measured in turns, round by round, so that noise of the machine affects all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck_bench.measuring.effort import Effort, rounds_within
from maskcheck_bench.measuring.timing import Timing, time_once

PATIENCE = 4
"""Time for all measured rounds, as a multiple of the effort's seconds; the warm-up gets a quarter of it."""


@dataclass(frozen=True)
class Work:
    """One piece of work.

    Attributes:
        name: As in :class:`Timing`.
        run: One round.
        items: Pictures or faces in one round.
        x: As in :class:`Timing`.
    """

    name: str
    run: Callable[[], object]
    items: int
    x: float | None = None


def measure_in_turns(works: Sequence[Work], effort: Effort, *, group: str, settle: bool = False) -> tuple[Timing, ...]:
    """Do every work once in each round; all get the same number of rounds, so that rounds can be compared in pairs.

    Args:
        works: What to do.
        effort: Rounds and warm-up; fewer rounds where they take too long.
        group: As in :class:`Timing`.
        settle: Do each work once without a clock right before it is timed: by then, threads that another work's session
            left spinning are asleep.
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
            measured.append(time_once(work.run))
    return tuple(
        Timing(work.name, work.items, warmup, (tuple(measured),), group, work.x)
        for work, measured in zip(works, times, strict=True)
    )


def ratio_in_turns(first: Timing, second: Timing) -> float:
    """Time an item takes in the first timing, divided by that in the second: the median over their paired rounds.

    Noise that lasts longer than a round affects both timings of a pair and cancels out.

    Raises:
        ValueError: They have different numbers of rounds.
    """
    ratios = [
        first_time / second_time
        for first_process, second_process in zip(first.processes, second.processes, strict=True)
        for first_time, second_time in zip(first_process, second_process, strict=True)
    ]
    return float(np.median(ratios)) * second.items / first.items


def counts_up_to(most: int) -> list[int]:
    """1, 2, 4, 8, ... and `most` itself."""
    return sorted({2**power for power in range(most.bit_length())} | {most})
