"""The report of a run: what it holds, how it is read again, and how it reads as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck_bench.machine import describe_machine
from maskcheck_bench.processes import Job, ProcessFailed
from maskcheck_bench.scenarios import Outcome
from maskcheck_bench.timing import Timing, join

SCHEMA = "maskcheck-bench/2"


class ReportError(MaskCheckError):
    """A file is no report of this version, or two reports cannot be compared."""


@dataclass(frozen=True)
class Report:
    """What a run measured, and on what.

    Attributes:
        machine: What :func:`describe_machine` says.
        receipt: Detector, model, providers and versions.
        precision: Arithmetic of the model's weights.
        pipeline: What the pipeline did in a round: pictures, faces, share of each stage.
        timings: The figures.
        failed: What went wrong, in words.
    """

    machine: dict[str, Any]
    receipt: dict[str, Any]
    precision: str
    pipeline: dict[str, Any]
    timings: tuple[Timing, ...]
    failed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "schema": SCHEMA,
            "machine": self.machine,
            "receipt": self.receipt,
            "precision": self.precision,
            "pipeline": self.pipeline,
            "timings": [one.to_dict() for one in self.timings],
            "failed": list(self.failed),
        }


def make_report(
    pipeline: MaskPipeline, outcomes: Iterable[tuple[Job, Outcome | ProcessFailed]], failed: Sequence[str]
) -> Report:
    """Make a report of what a run gives.

    Args:
        pipeline: As it is in every process.
        outcomes: Of each process, as they come.
        failed: What went wrong before.
    """
    machine = describe_machine()
    problems = list(failed)
    timings: list[Timing] = []
    work: dict[str, Any] = {}
    for _, outcome in outcomes:
        if isinstance(outcome, ProcessFailed):
            problems.append(str(outcome))
        else:
            timings += outcome.timings
            work.update(outcome.work)
    problems += work.pop("failed", [])
    return Report(
        machine=machine,
        receipt=pipeline.receipt.to_dict(),
        precision=pipeline.classifier.info.precision,
        pipeline=work,
        timings=tuple(join(timings)),
        failed=tuple(dict.fromkeys(problems)),
    )


def read_report(path: Path) -> Report:
    """Read a report that ``maskcheck-bench run`` wrote.

    Raises:
        ReportError: It is something else, or of another version.
    """
    advice = "expected the JSON report of `maskcheck-bench run` of this version; make it anew"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ReportError(f"{path} has schema {content['schema']!r}, this version reads {SCHEMA!r}; {advice}")
        return Report(
            machine=content["machine"],
            receipt=content["receipt"],
            precision=content["precision"],
            pipeline=content["pipeline"],
            timings=tuple(Timing.from_dict(one) for one in content["timings"]),
            failed=tuple(content["failed"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{path} is no report ({type(error).__name__}: {error}); {advice}") from error
