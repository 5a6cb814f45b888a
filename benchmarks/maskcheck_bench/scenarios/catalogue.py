"""The names of all scenarios. Importing this imports none of the peers' libraries."""

from __future__ import annotations

from functools import partial

from maskcheck_bench.measuring.outcome import Scenario
from maskcheck_bench.scenarios.limits.scenario import measure_limits
from maskcheck_bench.scenarios.peers import onnx_peers, tensorflow_peers, whole_task
from maskcheck_bench.scenarios.peers.peer import LoadPeer, time_peer
from maskcheck_bench.scenarios.peers.whole_task import LoadProgram, time_whole_task
from maskcheck_bench.scenarios.pipeline_times import time_classifier, time_pipeline, time_stages
from maskcheck_bench.scenarios.scaling.cold_start import time_cold_start
from maskcheck_bench.scenarios.scaling.concurrency import time_callers, time_threads
from maskcheck_bench.scenarios.scaling.cpus import compare_cpus, time_processes
from maskcheck_bench.scenarios.scaling.faces import compare_with_session, time_batches, time_faces
from maskcheck_bench.scenarios.scaling.memory import measure_memory
from maskcheck_bench.scenarios.scaling.sizes import time_sizes
from maskcheck_bench.scenarios.scaling.stream_and_detector import compare_with_detector
from maskcheck_bench.scenarios.scaling.submitting import compare_submit_with_stream, time_paused_source
from maskcheck_bench.scenarios.under_load import put_classifier_under_load, put_pipeline_under_load

LIMITS = "limits"
"""Name of the scenario that measures what the machine can do at best."""

# Modules that a peer needs, and what to install for each.
_ONNX = {"onnx": "onnx"}
_OPENVINO = {"openvino": "openvino", **_ONNX}
_TENSORFLOW = {"tensorflow": "tensorflow"}
_KERAS = _TENSORFLOW | _ONNX

_PEERS: dict[str, tuple[LoadPeer, dict[str, str]]] = {
    "maskcheck": (onnx_peers.load_maskcheck, {}),
    "onnxruntime": (onnx_peers.load_onnxruntime, {}),
    "keras predict": (tensorflow_peers.load_keras, _KERAS),
    "tf.function": (tensorflow_peers.load_function, _KERAS),
    "litert": (tensorflow_peers.load_litert, _KERAS),
    "opencv dnn": (onnx_peers.load_opencv, _ONNX),
    "openvino float32": (onnx_peers.load_openvino_float32, _OPENVINO),
    "openvino bf16": (onnx_peers.load_openvino_bf16, _OPENVINO),
    "openvino int8": (onnx_peers.load_openvino_int8, _OPENVINO),
}
_PROGRAMS: dict[str, tuple[LoadProgram, dict[str, str]]] = {
    "whole task": (whole_task.load_pipeline, {}),
    "recipe, keras": (whole_task.load_recipe_keras, _TENSORFLOW),
    "recipe, opencv dnn": (whole_task.load_recipe_opencv, _TENSORFLOW),
    "seed, keras": (whole_task.load_seed, _KERAS),
}

PEERS: dict[str, Scenario] = {name: partial(time_peer, name, *peer) for name, peer in _PEERS.items()}
"""The classifier run by each library, in the groups ``peers, batch 1``, ``8`` and ``16``."""

WHOLE_TASKS: dict[str, Scenario] = {
    name: partial(time_whole_task, "maskcheck" if name == "whole task" else name, *program)
    for name, program in _PROGRAMS.items()
}
"""From picture file to labelled faces, in the group ``whole task``; the first is maskcheck's pipeline."""

REPEATED: dict[str, Scenario] = {
    "classifier": time_classifier,
    "pipeline": time_pipeline,
    "stages": time_stages,
    **PEERS,
    **WHOLE_TASKS,
}
"""Scenarios that are repeated in several processes: what `compare` can compare."""

SINGLE: dict[str, Scenario] = {
    "classifier under load": put_classifier_under_load,
    "pipeline under load": put_pipeline_under_load,
    LIMITS: measure_limits,
    "faces in a picture": time_faces,
    "classify against the session": compare_with_session,
    "picture size": time_sizes,
    "batch": time_batches,
    "threads": time_threads,
    "streams": time_callers,
    "submit": compare_submit_with_stream,
    "source that pauses": time_paused_source,
    "processes": time_processes,
    "stream against its detector": compare_with_detector,
    "stream on one CPU and on all": compare_cpus,
    "memory": measure_memory,
    "cold start": time_cold_start,
}
"""Scenarios that measure long enough in one process."""

SCENARIOS = REPEATED | SINGLE
