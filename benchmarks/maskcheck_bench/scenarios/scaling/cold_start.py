"""Cold start: new processes, from start to end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from maskcheck import MaskPipeline
from maskcheck_bench.measuring.child_process import run_child
from maskcheck_bench.measuring.effort import Effort, rounds_within
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.timing import Timing, time_once
from maskcheck_bench.measuring.turns import PATIENCE
from maskcheck_bench.scenarios.scaling.first_steps import STEPS
from maskcheck_bench.scenarios.scaling.pictures import read_pictures


def time_cold_start(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Start processes in turns, with a warm disk: Python alone, the import of the SDK, and ``maskcheck detect``.

    Each of the first steps of a new process is timed, too. The facts are the median seconds that each process, with all
    its threads, spends in user mode, where the system says so.
    """
    (picture,) = read_pictures(pipeline, pictures[:1]).files
    options = _options(pipeline)
    start = [sys.executable, "-c"]
    commands = {
        "python": [*start, "pass"],
        "import maskcheck": [*start, "import maskcheck"],
        "import MaskPipeline": [*start, "from maskcheck import MaskPipeline"],
        "maskcheck detect": [*start, "from maskcheck.commands import main; main()", *_arguments(options, picture)],
    }
    steps = [sys.executable, "-m", "maskcheck_bench.scenarios.scaling.first_steps", json.dumps(options), picture]
    walls: dict[str, list[float]] = {name: [] for name in commands}
    users: dict[str, list[float]] = {name: [] for name in commands}
    step_times: dict[str, list[float]] = {name: [] for name in STEPS}
    for command in commands.values():
        _run(command)
    for _ in rounds_within(effort.rounds, PATIENCE * effort.seconds):
        for name, command in commands.items():
            used = _user_seconds()
            walls[name].append(time_once(partial(_run, command)))
            users[name].append(_user_seconds() - used)
        for name, milliseconds in json.loads(_run(steps)).items():
            step_times[name].append(milliseconds)
    timings = [
        *(Timing(name, 1, 1, (tuple(times),), "cold start") for name, times in walls.items()),
        *(Timing(name, 1, 0, (tuple(times),), "first steps of a process") for name, times in step_times.items()),
    ]
    medians = {name: round(float(np.median(used)), 3) for name, used in users.items()}
    return Outcome(tuple(timings), {"user_seconds": medians} if any(medians.values()) else {})


def _options(pipeline: MaskPipeline) -> dict[str, Any]:
    """The arguments that make a pipeline like this one, as JSON-ready values."""
    classifier = mask_classifier(pipeline)
    return {
        "detector": pipeline.detector_name,
        "detector_options": {name: value for name, value in pipeline.detector_options.items() if value is not None},
        "model": classifier.path,
        "providers": list(classifier.providers),
        "threads": classifier.threads,
        "min_score": pipeline.min_score,
        "tile": pipeline.tile,
    }


def _arguments(options: dict[str, Any], picture: str) -> list[str]:
    """The same as arguments of the command line."""
    arguments = ["detect", picture, "--json", "-", "--detector", options["detector"], "--model", options["model"]]
    for name, value in options["detector_options"].items():
        arguments += ["--detector-option", f"{name}={value}"]
    for provider in options["providers"]:
        arguments += ["--provider", provider]
    arguments += ["--threads", str(options["threads"]), "--min-score", str(options["min_score"])]
    return arguments if options["tile"] is None else [*arguments, "--tile", str(options["tile"])]


def _run(command: Sequence[str]) -> str:
    return run_child(command, " ".join(command), {"ORT_DISABLE_TELEMETRY": "1", **os.environ})


def _user_seconds() -> float:
    """Seconds in user mode of all child processes that have ended; always 0 on Windows, which does not say."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
