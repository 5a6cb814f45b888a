"""Suites: which scenarios a run does, and how long it measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.running.scenario_process import Job
from maskcheck_bench.scenarios.catalogue import REPEATED, SCENARIOS


@dataclass(frozen=True)
class Suite:
    """Scenarios and their effort.

    Attributes:
        scenarios: Their names.
        processes: Number of processes for each scenario in ``REPEATED``; the others run in a single process.
        effort: How long to measure.
    """

    scenarios: tuple[str, ...]
    processes: int
    effort: Effort

    def plan(self, options: Mapping[str, Any], pictures: Sequence[str]) -> list[Job]:
        """The jobs of the suite in turns, A B A B, so that noise of the machine affects all scenarios alike.

        Args:
            options: Arguments of the pipeline.
            pictures: Files.
        """
        return [
            Job(scenario, options, pictures, self.effort)
            for turn in range(self.processes)
            for scenario in self.scenarios
            if turn == 0 or scenario in REPEATED
        ]


SUITES = {
    "quick": Suite(("classifier", "pipeline"), 1, Effort(rounds=5, warmup=1, seconds=1)),
    "default": Suite(tuple(SCENARIOS), 3, Effort(rounds=12, warmup=2, seconds=2, timing_seconds=4)),
    "full": Suite(tuple(SCENARIOS), 7, Effort(rounds=30, warmup=5, seconds=20)),
}
"""A smoke test, an overview within ten minutes, and a thorough measurement."""
