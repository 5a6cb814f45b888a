"""The report of a run, and how it is read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck_bench.measuring.child_process import ProcessFailed
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.measuring.outcome import LoadResult, Outcome
from maskcheck_bench.measuring.timing import Timing, join
from maskcheck_bench.running.scenario_process import Job

SCHEMA = "maskcheck-bench/3"


class ReportError(MaskCheckError):
    """A file is not a report of this version, or two reports cannot be compared."""


@dataclass(frozen=True)
class Report:
    """What a run measured, and on which machine.

    Attributes:
        made: When the run started, UTC, in ISO 8601.
        machine: The result of :func:`describe_machine`.
        receipt: Detector, model, providers and versions.
        effort: How long it measured.
        timings: Of all scenarios.
        loads: Results of MLPerf's load generator.
        facts: Other results by the name of the scenario.
        skipped: Why a scenario did not run, by its name.
        failed: What went wrong, for people.
    """

    made: str
    machine: Mapping[str, Any]
    receipt: Mapping[str, Any]
    effort: Effort
    timings: tuple[Timing, ...]
    loads: tuple[LoadResult, ...]
    facts: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    failed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "timings": [timing.to_dict() for timing in self.timings],
        }

    def group(self, name: str) -> list[Timing]:
        """Timings of one group, in order."""
        return [timing for timing in self.timings if timing.group == name]

    @property
    def groups(self) -> list[str]:
        """Names of all groups, in order."""
        return list(dict.fromkeys(timing.group for timing in self.timings))


def make_report(
    pipeline: MaskPipeline,
    effort: Effort,
    outcomes: Iterable[tuple[Job, Outcome | ProcessFailed]],
    failed: Sequence[str] = (),
) -> Report:
    """Make the report of a run.

    Args:
        pipeline: The same as in every process.
        effort: The same as in every process.
        outcomes: The outcome of each process, as soon as it ends.
        failed: What went wrong before the run.
    """
    made, machine = datetime.now(UTC).isoformat(timespec="seconds"), describe_machine()
    problems = list(failed)
    timings: list[Timing] = []
    loads: list[LoadResult] = []
    facts: dict[str, dict[str, Any]] = {}
    skipped: dict[str, str] = {}
    for job, outcome in outcomes:
        if isinstance(outcome, ProcessFailed):
            problems.append(str(outcome))
        elif outcome.skipped:
            skipped[job.scenario] = outcome.skipped
        else:
            timings += outcome.timings
            loads += outcome.loads
            others = dict(outcome.facts)
            problems += others.pop("failed", [])
            if others:
                facts[job.scenario] = others
    return Report(
        made=made,
        machine=machine,
        receipt=pipeline.receipt.to_dict(),
        effort=effort,
        timings=tuple(join(timings)),
        loads=tuple(loads),
        facts=facts,
        skipped=skipped,
        failed=tuple(dict.fromkeys(problems)),
    )


def read_report(path: Path) -> Report:
    """Read a ``report.json`` of ``maskcheck-bench run``.

    Raises:
        ReportError: The file is something else, or of another version.
    """
    advice = "expected the report.json of `maskcheck-bench run` of this version; run it again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content.pop("schema")
        if schema != SCHEMA:
            raise ReportError(f"{path} has schema {schema!r}, this version reads {SCHEMA!r}; {advice}")
        parts = {
            "effort": Effort(**content["effort"]),
            "timings": tuple(Timing.from_dict(timing) for timing in content["timings"]),
            "loads": tuple(LoadResult(**load) for load in content["loads"]),
            "failed": tuple(content["failed"]),
        }
        return Report(**content | parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{path} is not a report ({type(error).__name__}: {error}); {advice}") from error
