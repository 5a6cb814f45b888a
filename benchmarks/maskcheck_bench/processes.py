"""Scenarios in processes of their own, in turns: nobody's threads, caches or crashes touch another's figures.

``python -m maskcheck_bench.processes FOLDER`` is one: it reads ``job.json`` there and writes ``outcome.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maskcheck import MaskCheckError, MaskPipeline
from maskcheck_bench.scenarios import SCENARIOS, Outcome
from maskcheck_bench.timing import Timing

_JOB, _OUTCOME = "job.json", "outcome.json"
_LAST_WORDS = 3  # lines of a process that failed


@dataclass(frozen=True)
class Job:
    """A scenario and what it is run with.

    Attributes:
        scenario: Its name.
        options: Arguments of the pipeline.
        pictures: Files.
        rounds: Measured rounds.
        warmup: Rounds before them.
    """

    scenario: str
    options: Mapping[str, Any]
    pictures: Sequence[str]
    rounds: int
    warmup: int


class ProcessFailed(MaskCheckError):
    """A process ended without an outcome."""


def run_in_turns(jobs: Sequence[Job], *, processes: int) -> Iterator[tuple[Job, Outcome | ProcessFailed]]:
    """Run every job in `processes` processes, A B A B, so that noise of the machine meets all alike."""
    for _ in range(processes):
        for job in jobs:
            try:
                yield job, run_process(job)
            except ProcessFailed as error:
                yield job, error


def run_process(job: Job) -> Outcome:
    """Run a job in a process of its own.

    Raises:
        ProcessFailed: It crashed, or its work raised.
    """
    with TemporaryDirectory(prefix="maskcheck-bench-") as name:
        folder = Path(name)
        (folder / _JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")
        command = [sys.executable, "-m", "maskcheck_bench.processes", name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not (folder / _OUTCOME).is_file():
            words = "; ".join(done.stderr.strip().splitlines()[-_LAST_WORDS:])
            raise ProcessFailed(f"{job.scenario}: its process ended with status {done.returncode}: {words}")
        content = json.loads((folder / _OUTCOME).read_text(encoding="utf-8"))
    return Outcome(tuple(Timing.from_dict(one) for one in content["timings"]), content["work"])


def _main(folder: Path) -> None:
    job = Job(**json.loads((folder / _JOB).read_text(encoding="utf-8")))
    outcome = SCENARIOS[job.scenario](MaskPipeline(**job.options), job.pictures, job.rounds, job.warmup)
    content = {"timings": [one.to_dict() for one in outcome.timings], "work": outcome.work}
    (folder / _OUTCOME).write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
