"""A run that is killed at random moments and continued, against one that nobody disturbs."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any

from maskcheck_bench.folders.detect_process import lines_without_times, start_detect, time_detect
from maskcheck_bench.folders.made_folder import make_folder


def measure_killed_runs(count: int, kills: int, seed: int, options: Sequence[str]) -> dict[str, Any]:
    """Kill a run again and again with SIGKILL, and continue it until it ends.

    Args:
        count: Pictures.
        kills: How often it is killed, at the most; it may end earlier.
        seed: Of the moments.
        options: Of the command.

    Returns:
        A report: what differs from the undisturbed run, JSON-ready.
    """
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        make_folder(folder, count, seed=seed, bad=0.01)
        calm, killed = Path(scratch) / "calm.jsonl", Path(scratch) / "killed.jsonl"
        calm_run = time_detect([str(folder), *options, "--json", str(calm)])
        done_at_kill = []
        for _ in range(kills):
            process = start_detect([str(folder), *options, "--json", str(killed), "--resume"])
            sleep(moments.uniform(0, 1.5 * calm_run.seconds / kills))
            process.kill()
            process.wait()
            done_at_kill.append(_lines(killed))
        last_status = start_detect([str(folder), *options, "--json", str(killed), "--resume"]).wait()
        expected, got = lines_without_times(calm), lines_without_times(killed)
        return {
            "pictures": count,
            "seconds_undisturbed": calm_run.seconds,
            "exit_status": {"undisturbed": calm_run.status, "continued": last_status},
            "lines_when_killed": done_at_kill,
            "lines": {"undisturbed": len(expected), "continued": len(got)},
            "missing": len(set(expected) - set(got)),
            "twice": len(got) - len(set(got)),
            "same_order": expected == got,
        }


def _lines(path: Path) -> int:
    """Whole lines of a run at work."""
    part = path.with_name(path.name + ".part")
    for each in (part, path):
        if each.exists():
            return each.read_bytes().count(b"\n")
    return 0
