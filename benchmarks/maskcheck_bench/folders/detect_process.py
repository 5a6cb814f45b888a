"""``maskcheck detect`` as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
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


def time_detect(arguments: Sequence[str]) -> tuple[float, int]:
    """Seconds that a run takes from start to end, and its exit status."""
    started = perf_counter()
    status = start_detect(arguments).wait()
    return perf_counter() - started, status


def lines_without_times(path: Path) -> list[str]:
    """The results in a file, without the times that they took."""
    lines = []
    with path.open("rb") as file:
        for line in file:
            content = json.loads(line)
            del content["timings_ms"]
            lines.append(json.dumps(content))
    return lines
