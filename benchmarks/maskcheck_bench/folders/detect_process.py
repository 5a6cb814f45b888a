"""``maskcheck detect`` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter


def start_detect(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a run; what it prints is thrown away."""
    return subprocess.Popen(
        [sys.executable, "-m", "maskcheck", "detect", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class DetectTime:
    """What a run took, from the start of its process to its end.

    Attributes:
        seconds: By the clock on the wall.
        cpu_seconds: Of all CPUs, which other programs disturb less.
        status: Its exit status.
    """

    seconds: float
    cpu_seconds: float
    status: int


def time_detect(arguments: Sequence[str]) -> DetectTime:
    """Time a run; no other process may end meanwhile."""
    before = os.times()
    started = perf_counter()
    status = start_detect(arguments).wait()
    seconds = perf_counter() - started
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return DetectTime(seconds, cpu, status)


def lines_without_times(path: Path) -> list[str]:
    """The results in a file, without the times that they took."""
    lines = []
    with path.open("rb") as file:
        for line in file:
            content = json.loads(line)
            del content["timings_ms"]
            lines.append(json.dumps(content))
    return lines
