"""How many CPUs this process may use, and which instructions they have."""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

_INT8 = {
    "amx_int8": "AMX",
    "asimddp": "dot product",
    "avx512_vnni": "AVX-512 VNNI",
    "AVX512VNNI": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "NEON_DOTPROD": "dot product",
}
"""Instructions that multiply int8 numbers and add the products without saturating: names of Linux and OpenCV, and
names that people know."""

_INT8_IN_16_BITS = {"avx2": "AVX2", "AVX2": "AVX2"}
"""Instructions that multiply uint8 by int8 numbers and add two products in 16 bits (``vpmaddubsw``). The sum saturates,
unless the int8 numbers are weights of 7 bits: 2 x 255 x 64 fits."""

_sharing = 1  # processes that work side by side, this one among them


def default_thread_count() -> int:
    """Threads for one session: the CPUs that the process may run on, within the container's quota.

    A thread pool of the size of the host would wait for its quota again and again, and be slower.
    """
    cpus = affinity()
    quota = cgroup_quota()
    return max(1, (cpus if quota is None else min(cpus, int(quota))) // _sharing)


def share_cpus(processes: int) -> None:
    """Say that so many processes share the CPUs: :func:`default_thread_count` gives this one its part from now on."""
    global _sharing
    _sharing = max(1, processes)


def affinity() -> int:
    """Number of CPUs that this process may be scheduled on; from Python 3.13 on, ``PYTHON_CPU_COUNT`` counts."""
    try:
        if sys.version_info >= (3, 13):
            return os.process_cpu_count() or 1
        if hasattr(os, "sched_getaffinity"):  # Linux, and some others
            return len(os.sched_getaffinity(0))
    except OSError:  # a sandbox may forbid the call
        pass
    return os.cpu_count() or 1


def cpu_features() -> list[str]:
    """Instruction sets of this CPU, as OpenCV names them (``AVX2``, ``AVX512VNNI``, ``NEON_DOTPROD``, ...)."""
    import cv2  # imported here, because the other functions must work where OpenCV does not load

    return [cv2.getHardwareFeatureName(i) for i in range(512) if cv2.checkHardwareSupport(i)]


@cache
def int8_features(cpuinfo: Path = Path("/proc/cpuinfo"), *, seven_bit_weights: bool = False) -> tuple[str, ...]:
    """Instructions of this CPU that make int8 fast and exact, by the names that people know; empty if there are none.

    Args:
        cpuinfo: The file in which Linux describes the CPU.
        seven_bit_weights: Whether all int8 weights are from -64 to 64. AVX2 is exact with such weights only.
    """
    exact = _INT8_IN_16_BITS | _INT8 if seven_bit_weights else _INT8
    # Linux knows AVX-VNNI and AMX, which OpenCV does not.
    names = (_linux_field("flags|Features", cpuinfo) or "").split()
    if not names:
        try:
            names = cpu_features()
        except (ImportError, AttributeError):  # OpenCV is missing or damaged; float32 is right everywhere
            return ()
    return tuple(sorted({exact[name] for name in names if name in exact}))


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The maker's name of the CPU, or its architecture if the name is not known.

    Args:
        cpuinfo: The file in which Linux describes the CPU.
    """
    # On Linux, the platform module says x86_64 and no more.
    return _linux_field("model name", cpuinfo) or platform.processor() or platform.machine()


def _linux_field(name: str, cpuinfo: Path) -> str | None:
    try:
        content = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, or a sandbox without it
        return None
    field = re.search(rf"^(?:{name})\s*:\s*(.+)$", content, re.MULTILINE)
    return field[1].strip() if field else None


def cgroup_quota(membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPU time quota of the process's control group, in CPUs; None if it has no quota.

    It is the lowest quota of the group and all its parents, from ``cpu.max`` (version 2) or ``cpu.cfs_quota_us``
    (version 1). Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and ``sched-bwc``.

    Args:
        membership: The file that names the process's groups.
        mount: Where the control group file systems are mounted.
    """
    try:
        lines = membership.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux, or no control groups
        return None
    quotas: list[float] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not group.startswith("/"):
            continue
        if controllers == "":
            base, read = mount, _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = mount / controllers, _quota_v1
        else:
            continue
        folder = base / group.lstrip("/")
        # In a container, the group may have the name that the host gives it, while only its own root is mounted.
        for level in (folder, *folder.parents):
            quota = read(level)
            if quota is not None:
                quotas.append(quota)
            if level == base:
                break
    return min(quotas, default=None)


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = _number_file(folder / "cpu.max").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max", for no quota
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int(_number_file(folder / "cpu.cfs_quota_us"))
        period = int(_number_file(folder / "cpu.cfs_period_us"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _number_file(path: Path) -> str:
    # Anything but a number raises a ValueError, as UnicodeDecodeError is.
    return path.read_text(encoding="ascii")
