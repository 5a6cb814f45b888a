"""What is measured of growth, and the names of these scenarios."""

from __future__ import annotations

from maskcheck_bench.measuring.outcome import Scenario
from maskcheck_bench.scenarios.scaling.cold import time_cold_start
from maskcheck_bench.scenarios.scaling.concurrency import time_callers, time_threads
from maskcheck_bench.scenarios.scaling.cpus import compare_cpus, time_processes
from maskcheck_bench.scenarios.scaling.faces import compare_with_session, time_batches, time_faces
from maskcheck_bench.scenarios.scaling.memory import measure_memory
from maskcheck_bench.scenarios.scaling.sizes import time_sizes
from maskcheck_bench.scenarios.scaling.streaming import compare_with_detector

SCALING: dict[str, Scenario] = {
    "faces in a picture": time_faces,
    "classify against the session": compare_with_session,
    "picture size": time_sizes,
    "batch": time_batches,
    "threads": time_threads,
    "streams": time_callers,
    "processes": time_processes,
    "stream against its detector": compare_with_detector,
    "stream on one CPU and on all": compare_cpus,
    "memory": measure_memory,
    "cold start": time_cold_start,
}
