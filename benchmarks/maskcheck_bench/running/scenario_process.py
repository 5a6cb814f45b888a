"""Scenarios in processes of their own, in turns: nobody's threads, caches or crashes touch another's figures.

``python -m maskcheck_bench.running.scenario_process FOLDER`` runs one: it reads ``job.json`` there and writes
``outcome.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.child_process import ProcessFailed, run_child
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.scenarios.catalogue import SCENARIOS

_JOB, _OUTCOME = "job.json", "outcome.json"


@dataclass(frozen=True)
class Job:
    """A scenario and what it is run with.

    Attributes:
        scenario: Its name.
        options: Arguments of the pipeline.
        pictures: Files.
        effort: How long to measure.
    """

    scenario: str
    options: Mapping[str, Any]
    pictures: Sequence[str]
    effort: Effort


def run_in_turns(jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome | ProcessFailed]]:
    """Run jobs, one after the other; a scenario that says that it cannot run here is not asked again."""
    skipped: set[str] = set()
    for job in jobs:
        if job.scenario in skipped:
            continue
        try:
            outcome = run_process(job)
        except ProcessFailed as error:
            yield job, error
        else:
            if outcome.skipped:
                skipped.add(job.scenario)
            yield job, outcome


def run_process(job: Job) -> Outcome:
    """Run a job in a process of its own.

    Raises:
        ProcessFailed: It crashed, or its work raised.
    """
    with TemporaryDirectory(prefix="maskcheck-bench-") as name:
        folder = Path(name)
        (folder / _JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")
        run_child([sys.executable, "-m", "maskcheck_bench.running.scenario_process", name], job.scenario)
        if not (folder / _OUTCOME).is_file():
            raise ProcessFailed(f"{job.scenario}: its process ended without an outcome")
        return Outcome.from_dict(json.loads((folder / _OUTCOME).read_text(encoding="utf-8")))


def _main(folder: Path) -> None:
    content = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    job = Job(**content | {"effort": Effort(**content["effort"])})
    outcome = SCENARIOS[job.scenario](MaskPipeline(**job.options), job.pictures, job.effort)
    (folder / _OUTCOME).write_text(json.dumps(outcome.to_dict()), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
