"""A job on a Ray cluster of two nodes of this machine, of which actors and the driver are killed; the same job here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from maskcheck.errors import MaskCheckError
from maskcheck_bench.batch.killing_detector import install
from maskcheck_bench.batch.made_pictures import make_pictures

_STORE = 100_000_000  # bytes of each node's object store, which holds numbers of parts and reports
_LONGEST = 7200.0  # seconds that anything may take


@dataclass(frozen=True)
class Kills:
    """What is killed, and when: as soon as so many parts have a file.

    Attributes:
        actors: An actor, each time.
        driver: The process of the command; it is then started again.
    """

    actors: tuple[float, ...] = (0.15, 0.6)
    driver: float = 0.4


def measure_cluster(
    samples: Sequence[Path], count: int, *, seed: int, kills: Kills | None, options: Sequence[str]
) -> dict[str, Any]:
    """Run a job here and on a cluster, and compare their files.

    Args:
        samples: Pictures that crops are taken of.
        count: Pictures that are made.
        seed: Of these.
        kills: What is killed on the cluster; None for nothing.
        options: Of the command.

    Returns:
        A report: what differs, and times, JSON-ready.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        make_pictures(folder, samples, count, seed=seed, bad=0.01)
        site = Path(scratch) / "site"
        options = ["--detector", install(site), "--timeout", "120", *options]
        here, there = Path(scratch) / "local", Path(scratch) / "ray"
        with _path(site):
            started = perf_counter()
            local_status = _start(folder, here, "--workers", "2", *options).wait(_LONGEST)
            local_seconds = perf_counter() - started
            if not _parts(here):
                raise MaskCheckError(f"the run on this machine ended with status {local_status} and has no rows")
            with _cluster() as address:
                options = ["--engine", "ray", "--address", address, "--workers", "2", *options]
                started = perf_counter()
                driver, killed = _run_killed(folder, there, options, kills, len(_parts(here)))
                ray_status = driver.wait(_LONGEST)
                ray_seconds = perf_counter() - started
        return {
            "pictures": count,
            "killed": killed,
            "exit_status": {"local": local_status, "ray": ray_status},
            "seconds": {"local": local_seconds, "ray": ray_seconds},
            **_differences(here, there),
            "reports": {
                name: json.loads((path / "_job" / "report.json").read_text("utf-8"))
                for name, path in (("local", here), ("ray", there))
            },
        }


def _differences(here: Path, there: Path) -> dict[str, Any]:
    from pyarrow import parquet

    local, ray = (Counter(map(str, parquet.read_table(path).to_pylist())) for path in (here, there))
    sources = parquet.read_table(there, columns=["source"]).column(0).unique()
    files, others = _parts(here), _parts(there)
    size = sum(path.stat().st_size for path in files.values())
    return {
        "rows": {"local": local.total(), "ray": ray.total()},
        "sources": len(sources),
        "missing": (local - ray).total(),
        "too_many": (ray - local).total(),
        "equal_files": sum(
            name in others and path.read_bytes() == others[name].read_bytes() for name, path in files.items()
        ),
        "files": {"local": len(files), "ray": len(others)},
        "bytes_a_row": size / max(1, local.total()),
    }


def _parts(output: Path) -> dict[str, Path]:
    return {path.name: path for path in output.glob("part-*.parquet")}


def _start(folder: Path, output: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "maskcheck", "batch", str(folder), "--output", str(output), *options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _run_killed(
    folder: Path, output: Path, options: Sequence[str], kills: Kills | None, parts: int
) -> tuple[subprocess.Popen[bytes], list[dict[str, Any]]]:
    """Start the command, and kill what is to be killed.

    Returns:
        The command at work, and what was killed when so many parts had a file.
    """
    driver = _start(folder, output, *options)
    killed: list[dict[str, Any]] = []
    if kills is None:
        return driver, killed
    for share, what in sorted([*((share, "actor") for share in kills.actors), (kills.driver, "driver")]):
        while len(_parts(output)) < share * parts or not (actors := _actors()):
            if driver.poll() is not None:
                raise MaskCheckError(f"the job ended, with status {driver.returncode}, before all was killed")
            threading.Event().wait(0.1)
        if what == "driver":
            driver.kill()
            driver.wait()
        else:
            actors[0].kill()
        killed.append({"what": what, "parts": len(_parts(output))})
        if what == "driver":
            driver = _start(folder, output, *options, "--resume")
    return driver, killed


def _actors() -> list[psutil.Process]:
    """Processes that have an actor of the job."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any("_PartActor" in word for word in process.info["cmdline"] or ())
    ]


@contextmanager
def _path(site: Path) -> Iterator[None]:
    """Let processes that are started find a plugin."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def _cluster() -> Iterator[str]:
    """Two nodes with a CPU each; gives their address."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine is slow, and no node is dead
    os.environ.setdefault("RAY_health_check_failure_threshold", "100")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": _STORE, "include_dashboard": False},
    )
    try:
        cluster.add_node(num_cpus=1, object_store_memory=_STORE)
        yield cluster.address
    finally:
        cluster.shutdown()
