"""Each scenario in its own process, so that scenarios do not share threads, caches or crashes.

``python -m maskcheck_bench.running.scenario_process FOLDER`` is such a process: it reads a job from the folder, and
writes its outcome there.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from maskcheck import MaskPipeline
from maskcheck_bench.log import LOGGER
from maskcheck_bench.measuring.child_process import ProcessFailed, run_child
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.scenarios.catalogue import SCENARIOS

_JOB, _OUTCOME = "job.pickle", "outcome.pickle"


@dataclass(frozen=True)
class Job:
    """A scenario and its arguments.

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
    """Run jobs, one after the other; later jobs of a scenario that cannot run here are left out."""
    skipped: set[str] = set()
    for job in jobs:
        if job.scenario in skipped:
            continue
        started = perf_counter()
        try:
            outcome = run_process(job)
        except ProcessFailed as error:
            LOGGER.info("%s: failed after %.1f s", job.scenario, perf_counter() - started)
            yield job, error
        else:
            state = "skipped" if outcome.skipped else "done"
            LOGGER.info("%s: %s after %.1f s", job.scenario, state, perf_counter() - started)
            if outcome.skipped:
                skipped.add(job.scenario)
            yield job, outcome


def run_process(job: Job) -> Outcome:
    """Run a job in a new process.

    Raises:
        ProcessFailed: The process crashed, or the scenario raised.
    """
    with TemporaryDirectory(prefix="maskcheck-bench-") as name:
        folder = Path(name)
        (folder / _JOB).write_bytes(pickle.dumps(job))
        run_child([sys.executable, "-m", "maskcheck_bench.running.scenario_process", name], job.scenario)
        if not (folder / _OUTCOME).is_file():
            raise ProcessFailed(f"{job.scenario}: its process ended without an outcome")
        outcome: Outcome = pickle.loads((folder / _OUTCOME).read_bytes())
        return outcome


def _main(folder: Path) -> None:
    job = pickle.loads((folder / _JOB).read_bytes())
    outcome = SCENARIOS[job.scenario](MaskPipeline(**job.options), job.pictures, job.effort)
    (folder / _OUTCOME).write_bytes(pickle.dumps(outcome))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
