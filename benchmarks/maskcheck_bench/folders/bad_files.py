"""A folder with bad files against the same folder without any, in turns."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from maskcheck_bench.folders.detect_process import DetectTime, time_detect
from maskcheck_bench.folders.made_folder import make_folder


def measure_bad_files(count: int, rounds: int, seed: int, options: Sequence[str]) -> dict[str, Any]:
    """Time runs over both folders, in turns: clean, bad, bad, clean.

    Args:
        count: Pictures in each folder; a hundredth of the second are no pictures.
        rounds: How often each is worked on.
        seed: Of the pictures.
        options: Of the command.

    Returns:
        A report: the ratio of the throughputs and what was listed, JSON-ready.
    """
    with tempfile.TemporaryDirectory() as scratch:
        clean, bad = Path(scratch) / "clean", Path(scratch) / "bad"
        make_folder(clean, count, seed=seed)
        broken = {str(path) for path in make_folder(bad, count, seed=seed, bad=0.01)}
        times: dict[Path, list[DetectTime]] = {clean: [], bad: []}
        for number in range(-1, rounds):
            for folder in (clean, bad) if number % 2 == 0 else (bad, clean):
                results = Path(scratch) / f"{folder.name}.jsonl"
                taken = time_detect([str(folder), *options, "--json", str(results)])
                if number >= 0:  # the first is a warm-up
                    times[folder].append(taken)
        listed = set()
        with (Path(scratch) / "bad.jsonl").open() as lines:
            for line in map(json.loads, lines):
                if line["error"]:
                    listed.add(line["source"])
        return {
            "pictures": count,
            "bad": len(broken),
            "bad_listed": len(listed & broken),
            "others_listed": len(listed - broken),
            "exit_status": {folder.name: sorted({run.status for run in runs}) for folder, runs in times.items()},
            "seconds": {folder.name: [run.seconds for run in runs] for folder, runs in times.items()},
            "cpu_seconds": {folder.name: [run.cpu_seconds for run in runs] for folder, runs in times.items()},
            "throughput_of_bad_by_clean": median(
                first.seconds / second.seconds for first, second in zip(times[clean], times[bad], strict=True)
            ),
            "the_same_by_cpu": median(
                first.cpu_seconds / second.cpu_seconds for first, second in zip(times[clean], times[bad], strict=True)
            ),
        }
