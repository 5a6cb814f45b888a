"""What a scenario is: a function that measures something, with some effort, and tells an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.timing import Timing


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: Measured rounds of each timing in a process.
        warmup: Rounds before them.
        seconds: Least duration of each scenario of MLPerf.
        face_target_ms: Latency that 99 % of a server's queries to the classifier must not exceed.
        picture_target_ms: The same of its queries to the pipeline.
        timing_seconds: No further round of a timing begins after so long; None for no such limit.
    """

    rounds: int = 20
    warmup: int = 3
    seconds: float = 2.0
    face_target_ms: float = 50.0
    picture_target_ms: float = 1000.0
    timing_seconds: float | None = None

    @property
    def of_a_timing(self) -> dict[str, Any]:
        """Arguments of :func:`maskcheck_bench.measuring.timing.measure`."""
        return {"rounds": self.rounds, "warmup": self.warmup, "seconds": self.timing_seconds}


@dataclass(frozen=True)
class Load:
    """A subject under one scenario of MLPerf.

    Attributes:
        subject: What it was.
        scenario: SingleStream, MultiStream, Server or Offline.
        metric: What the scenario is judged by.
        unit: ``ms`` or ``samples/s``.
        value: The figure; None if no rate met the server's target.
        queries: Queries that were answered.
        seconds: Least duration that was asked for.
        latencies_ms: Latency of a query at each percentile; empty for Offline, which is one query.
        by_the_rules: Long enough for MLPerf's rules, and by its own count of queries enough for the percentile.
    """

    subject: str
    scenario: str
    metric: str
    unit: str
    value: float | None
    queries: int
    seconds: float
    latencies_ms: Mapping[str, float]
    by_the_rules: bool


@dataclass(frozen=True)
class Outcome:
    """What a scenario measured.

    Attributes:
        timings: Of each thing that it does.
        facts: What else there is to say of it, as JSON-ready values.
        loads: What the load generator measured.
        skipped: Why it could not run here, and what to install; empty if it ran.
    """

    timings: tuple[Timing, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    loads: tuple[Load, ...] = ()
    skipped: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "timings": [one.to_dict() for one in self.timings],
            "facts": dict(self.facts),
            "loads": [asdict(one) for one in self.loads],
            "skipped": self.skipped,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """Read what :meth:`to_dict` gave."""
        return cls(
            tuple(Timing.from_dict(one) for one in values["timings"]),
            values["facts"],
            tuple(Load(**one) for one in values["loads"]),
            values["skipped"],
        )


Scenario = Callable[[MaskPipeline, Sequence[str], Effort], Outcome]
"""Measures with a pipeline that was not used yet, on picture files."""
