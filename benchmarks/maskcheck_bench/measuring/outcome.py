"""A scenario is a function that measures something and returns an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from maskcheck import FrameResult, MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.timing import Timing


@dataclass(frozen=True)
class LoadResult:
    """What the load generator of MLPerf measured in one of its scenarios.

    Attributes:
        subject: What was under load.
        scenario: SingleStream, MultiStream, Server or Offline.
        metric: The figure that counts in this scenario.
        unit: ``ms`` or ``samples/s``.
        value: That figure; None if no rate met the server's target.
        queries: Queries that were answered.
        seconds: Shortest duration that was asked for.
        latencies_ms: Latency of a query at each percentile; empty for Offline, which is a single query.
        by_the_rules: The run was long enough for MLPerf's rules, and had enough queries for the percentile.
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

    @property
    def value_text(self) -> str:
        """The value with its unit."""
        return "no rate met it" if self.value is None else f"{self.value:g} {self.unit}"


@dataclass(frozen=True)
class Outcome:
    """What a scenario measured.

    Attributes:
        timings: One or more for each thing that it does.
        facts: Its other results, as JSON-ready values.
        loads: Results of the load generator.
        skipped: Why it cannot run here, and what to install; empty if it ran.
    """

    timings: tuple[Timing, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    loads: tuple[LoadResult, ...] = ()
    skipped: str = ""


Scenario = Callable[[MaskPipeline, Sequence[str], Effort], Outcome]
"""Measures with a pipeline that was not used yet, on picture files."""


def count_results(results: Sequence[FrameResult]) -> dict[str, Any]:
    """Facts about pictures that were processed: how many, their faces, and what failed."""
    return {
        "pictures": len(results),
        "faces": sum(len(result) for result in results),
        "failed": [str(result.error) for result in results if result.error is not None],
    }


def describe_missing(packages: Mapping[str, str]) -> str:
    """Which packages are not installed, and how to install them; empty if all are there.

    Args:
        packages: Names to import, and what to install for each.
    """
    absent = [package for module, package in packages.items() if find_spec(module) is None]
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed: pip install {' '.join(absent)}" if absent else ""
