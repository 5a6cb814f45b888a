"""How long to measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Effort:
    """How long a scenario measures.

    Attributes:
        rounds: Measured rounds of each timing in a process, 1 or more.
        warmup: Rounds before them, which are not measured.
        seconds: Shortest duration of each MLPerf scenario.
        face_target_ms: Latency that 99 % of the queries to a server of the classifier must not exceed.
        picture_target_ms: The same for a server of the pipeline.
        timing_seconds: No further round of a timing starts after this time; None for no limit.
    """

    rounds: int = 20
    warmup: int = 3
    seconds: float = 2.0
    face_target_ms: float = 50.0
    picture_target_ms: float = 1000.0
    timing_seconds: float | None = None


def rounds_within(rounds: int, seconds: float) -> Iterator[int]:
    """Numbers of rounds, from 1; the first always comes, the others only while there is time left."""
    started = perf_counter()
    for number in range(1, rounds + 1):
        if number > 1 and perf_counter() - started > seconds:
            return
        yield number
