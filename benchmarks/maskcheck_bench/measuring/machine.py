"""The machine that measures."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import psutil

from maskcheck.runtime.cpu import affinity, cgroup_quota, cpu_features, cpu_name


def describe_machine() -> dict[str, Any]:
    """System, CPU, the part of it that this process may use, memory, and how busy the CPUs are now; JSON-ready."""
    frequency = psutil.cpu_freq()
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cpu_features": cpu_features(),
        "cpu_megahertz": frequency.current if frequency else None,
        "cpu_governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "logical_cpus": psutil.cpu_count(),
        "usable_cpus": affinity(),
        "cpu_quota": cgroup_quota(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "busy_percent_before": psutil.cpu_percent(interval=0.5),
    }


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:  # not Linux, or the file does not exist
        return None
