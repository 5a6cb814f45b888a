"""The report of a run: what it holds, and how it is read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck_bench.measuring.child_process import ProcessFailed
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.measuring.outcome import Effort, Load, Outcome
from maskcheck_bench.measuring.timing import Timing, join
from maskcheck_bench.running.scenario_process import Job

SCHEMA = "maskcheck-bench/3"


class ReportError(MaskCheckError):
    """A file is no report of this version, or two reports cannot be compared."""


@dataclass(frozen=True)
class Report:
    """What a run measured, and on what.

    Attributes:
        made: When it began, UTC, in ISO 8601.
        machine: What :func:`describe_machine` says.
        receipt: Detector, model, providers and versions.
        effort: How long was measured.
        timings: The figures.
        loads: Those of MLPerf's scenarios.
        facts: What else each scenario says, by its name.
        skipped: Why a scenario did not run, by its name.
        failed: What went wrong, in words.
    """

    made: str
    machine: Mapping[str, Any]
    receipt: Mapping[str, Any]
    effort: Effort
    timings: tuple[Timing, ...]
    loads: tuple[Load, ...]
    facts: Mapping[str, Mapping[str, Any]]
    skipped: Mapping[str, str]
    failed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "timings": [one.to_dict() for one in self.timings],
        }

    def group(self, name: str) -> list[Timing]:
        """Timings of one group, in order."""
        return [one for one in self.timings if one.group == name]

    @property
    def groups(self) -> list[str]:
        """Names of all groups, in order."""
        return list(dict.fromkeys(one.group for one in self.timings))


def make_report(
    pipeline: MaskPipeline,
    effort: Effort,
    outcomes: Iterable[tuple[Job, Outcome | ProcessFailed]],
    failed: Sequence[str] = (),
) -> Report:
    """Make a report of what a run gives.

    Args:
        pipeline: As it is in every process.
        effort: As it is in every process.
        outcomes: Of each process, as they come.
        failed: What went wrong before.
    """
    made, machine = datetime.now(UTC).isoformat(timespec="seconds"), describe_machine()
    problems = list(failed)
    timings: list[Timing] = []
    loads: list[Load] = []
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
            own = dict(outcome.facts)
            problems += own.pop("failed", [])
            if own:
                facts[job.scenario] = own
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
    """Read a report that ``maskcheck-bench run`` wrote.

    Raises:
        ReportError: It is something else, or of another version.
    """
    advice = "expected the report.json of `maskcheck-bench run` of this version; make it anew"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content.pop("schema")
        if schema != SCHEMA:
            raise ReportError(f"{path} has schema {schema!r}, this version reads {SCHEMA!r}; {advice}")
        parts = {
            "effort": Effort(**content["effort"]),
            "timings": tuple(Timing.from_dict(one) for one in content["timings"]),
            "loads": tuple(Load(**one) for one in content["loads"]),
            "failed": tuple(content["failed"]),
        }
        return Report(**content | parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{path} is no report ({type(error).__name__}: {error}); {advice}") from error
