"""Peers of the classifier and of the whole pipeline, raced on the same inputs by the same number of threads.

Importing this imports none of their libraries.
"""

from __future__ import annotations

from functools import partial

from maskcheck_bench.measuring.outcome import Scenario
from maskcheck_bench.scenarios.peers import onnx_peers, tensorflow_peers, whole_task
from maskcheck_bench.scenarios.peers.race import race
from maskcheck_bench.scenarios.peers.whole_task import do_whole_task

# Names to import, and what to install for each.
_ONNX = {"onnx": "onnx"}
_OPENVINO = {"openvino": "openvino", **_ONNX}
_TENSORFLOW = {"tensorflow": "tensorflow"}
_KERAS = _TENSORFLOW | _ONNX


PEERS: dict[str, Scenario] = {
    "maskcheck": partial(race, "maskcheck", onnx_peers.load_maskcheck, {}),
    "onnxruntime": partial(race, "onnxruntime", onnx_peers.load_onnxruntime, {}),
    "keras predict": partial(race, "keras predict", tensorflow_peers.load_keras, _KERAS),
    "tf.function": partial(race, "tf.function", tensorflow_peers.load_function, _KERAS),
    "litert": partial(race, "litert", tensorflow_peers.load_litert, _KERAS),
    "opencv dnn": partial(race, "opencv dnn", onnx_peers.load_opencv, _ONNX),
    "openvino float32": partial(race, "openvino float32", onnx_peers.load_openvino_float32, _OPENVINO),
    "openvino bf16": partial(race, "openvino bf16", onnx_peers.load_openvino_bf16, _OPENVINO),
    "openvino int8": partial(race, "openvino int8", onnx_peers.load_openvino_int8, _OPENVINO),
}
"""The classifier run by each library, in the groups ``peers, batch 1``, ``8`` and ``16``."""

RECIPES: dict[str, Scenario] = {
    "whole task": partial(do_whole_task, "maskcheck", whole_task.load_maskcheck, {}),
    "recipe, keras": partial(do_whole_task, "recipe, keras", whole_task.load_recipe_keras, _TENSORFLOW),
    "recipe, opencv dnn": partial(do_whole_task, "recipe, opencv dnn", whole_task.load_recipe_opencv, _TENSORFLOW),
    "seed, keras": partial(do_whole_task, "seed, keras", whole_task.load_seed, _KERAS),
}
"""From picture file to labelled faces, in the group ``whole task``; the first is maskcheck's pipeline."""
