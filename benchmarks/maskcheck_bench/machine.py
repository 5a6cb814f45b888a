"""The machine that a measurement was made on."""

from __future__ import annotations

import platform
from typing import Any

import psutil

from maskcheck.cpu import affinity, cgroup_quota, cpu_features


def describe_machine() -> dict[str, Any]:
    """CPU, what of it may be used, memory and system; and how busy it was before the measurement."""
    frequency = psutil.cpu_freq()
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": platform.processor() or platform.machine(),
        "cpu_features": cpu_features(),
        "cpu_megahertz": frequency.current if frequency else None,
        "logical_cpus": psutil.cpu_count(),
        "usable_cpus": affinity(),
        "cpu_quota": cgroup_quota(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "busy_percent_before": psutil.cpu_percent(interval=0.5),
    }
