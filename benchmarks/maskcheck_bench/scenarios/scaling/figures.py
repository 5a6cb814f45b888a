"""Figures that follow from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskcheck_bench.measuring.timing import Timing


def ratio_in_turns(first: Timing, second: Timing) -> float:
    """Time an item takes in the first, by the time it takes in the second: the median over their rounds, in turns.

    Noise that lasts longer than a round touches both alike, and so falls out.

    Raises:
        ValueError: They have different rounds.
    """
    ratios = [
        one / other
        for process, other_process in zip(first.processes, second.processes, strict=True)
        for one, other in zip(process, other_process, strict=True)
    ]
    return float(np.median(ratios)) * second.items / first.items


def quarter_means(samples: Sequence[float]) -> tuple[float, float, float, float]:
    """Mean of each quarter of some samples.

    Raises:
        ValueError: There are fewer than four.
    """
    if len(samples) < 4:
        raise ValueError(f"samples: expected 4 or more, got {len(samples)}")
    first, second, third, last = (float(np.mean(quarter)) for quarter in np.array_split(np.asarray(samples), 4))
    return first, second, third, last


def growth(samples: Sequence[float]) -> float:
    """Mean of the last quarter of some samples by that of the second quarter: 1.02 has grown by 2 %.

    The first quarter is left out: it fills memory that is used again later.

    Raises:
        ValueError: There are fewer than four samples.
    """
    _, second, _, last = quarter_means(samples)
    return last / second
