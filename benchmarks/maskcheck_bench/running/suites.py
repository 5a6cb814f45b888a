"""Which scenarios a run does, and how long it takes over them."""

from __future__ import annotations

from dataclasses import dataclass

from maskcheck_bench.measuring.outcome import Effort
from maskcheck_bench.scenarios.catalogue import REPEATED, SCENARIOS


@dataclass(frozen=True)
class Suite:
    """Scenarios and their effort.

    Attributes:
        scenarios: Their names.
        processes: Processes that repeat each of those that are repeated.
        effort: How long to measure.
    """

    scenarios: tuple[str, ...]
    processes: int
    effort: Effort

    def processes_of(self, scenario: str) -> int:
        """Processes that do a scenario."""
        return self.processes if scenario in REPEATED else 1


SUITES = {
    "quick": Suite(("classifier", "pipeline"), 1, Effort(rounds=5, warmup=1, seconds=1)),
    "default": Suite(tuple(SCENARIOS), 3, Effort(rounds=12, warmup=2, seconds=2, timing_seconds=4)),
    "full": Suite(tuple(SCENARIOS), 7, Effort(rounds=30, warmup=5, seconds=20)),
}
"""A smoke test, a look within ten minutes, and a measurement."""
