"""Cold start: new processes, from their start to their end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.child_process import run_child
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.measuring.timing import Timing, rounds_within
from maskcheck_bench.measuring.turns import PATIENCE
from maskcheck_bench.scenarios.scaling.first_steps import STEPS
from maskcheck_bench.scenarios.scaling.pictures import read_pictures


def time_cold_start(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Start processes in turns, with a warm disk: Python alone, the import of the SDK, and ``maskcheck detect``.

    Where the system tells, the facts are the median seconds in user mode of each process, of all its threads. Each step
    of a process that has just started is timed, too.
    """
    (picture,) = read_pictures(pipeline, pictures[:1]).files
    options = _options(pipeline)
    start = [sys.executable, "-c"]
    commands = {
        "python": [*start, "pass"],
        "import maskcheck": [*start, "import maskcheck"],
        "import MaskPipeline": [*start, "from maskcheck import MaskPipeline"],
        "maskcheck detect": [*start, "from maskcheck.commands import main; main()", *_words(options, picture)],
    }
    steps = [sys.executable, "-m", "maskcheck_bench.scenarios.scaling.first_steps", json.dumps(options), picture]
    walls: dict[str, list[float]] = {name: [] for name in commands}
    users: dict[str, list[float]] = {name: [] for name in commands}
    taken: dict[str, list[float]] = {name: [] for name in STEPS}
    for command in commands.values():
        _run(command)
    for _ in rounds_within(effort.rounds, PATIENCE * effort.seconds):
        for name, command in commands.items():
            began, used = perf_counter(), _user_seconds()
            _run(command)
            walls[name].append((perf_counter() - began) * 1000)
            users[name].append(_user_seconds() - used)
        for name, milliseconds in json.loads(_run(steps)).items():
            taken[name].append(milliseconds)
    timings = [
        *(Timing(name, 1, 1, (tuple(times),), "cold start") for name, times in walls.items()),
        *(Timing(name, 1, 0, (tuple(times),), "first steps of a process") for name, times in taken.items()),
    ]
    medians = {name: round(float(np.median(used)), 3) for name, used in users.items()}
    return Outcome(tuple(timings), {"user_seconds": medians} if any(medians.values()) else {})


def _options(pipeline: MaskPipeline) -> dict[str, Any]:
    """The arguments that make a pipeline like this one, as JSON-ready values."""
    classifier = pipeline.classifier
    return {
        "detector": pipeline.detector_name,
        "detector_options": {name: value for name, value in pipeline.detector_options.items() if value is not None},
        "model": classifier.path,
        "providers": list(classifier.providers),
        "threads": classifier.threads,
        "min_score": pipeline.min_score,
        "tile": pipeline.tile,
    }


def _words(options: dict[str, Any], picture: str) -> list[str]:
    """The same as words of the command line."""
    words = ["detect", picture, "--json", "-", "--detector", options["detector"], "--model", options["model"]]
    for name, value in options["detector_options"].items():
        words += ["--detector-option", f"{name}={value}"]
    for provider in options["providers"]:
        words += ["--provider", provider]
    words += ["--threads", str(options["threads"]), "--min-score", str(options["min_score"])]
    return words if options["tile"] is None else [*words, "--tile", str(options["tile"])]


def _run(command: Sequence[str]) -> str:
    return run_child(command, " ".join(command), {"ORT_DISABLE_TELEMETRY": "1", **os.environ})


def _user_seconds() -> float:
    """Seconds in user mode of all child processes that have ended; always 0 on Windows, which does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
