"""``config.pbtxt`` of the models in a repository, as messages of Triton's own schema.

The fields are described at
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, INPUT_NAME, OUTPUT_NAME, ModelInfo
from maskcheck_export.triton.settings import CLASSIFIER, PIPELINE, PipelineSettings, Scheduling

CONFIG_FILE = "config.pbtxt"
MODEL_FILE = "model.onnx"
LABELS_FILE = "labels.txt"
"""Beside the configuration of the classifier: its labels, a line each, for clients that ask for classes."""

PICTURE_FILE = "picture.bytes"
"""In Triton's folder ``warmup`` beside the configuration of the pipeline: the picture that it warms up on."""

PICTURE, RESULT, COUNT = "picture", "result", "num_faces"
BOXES, LABELS, CONFIDENCES, SCORES = "boxes", "labels", "confidences", "scores"


def classifier_config(info: ModelInfo, scheduling: Scheduling, *, threads: int | None = None) -> Any:
    """The classifier as a model of the ONNX Runtime backend: face crops in, probabilities out.

    With a model file of schema 2, `face` and `box` come out, too. ONNX Runtime gives `face` as (N,), which Triton
    cannot name: outside, it is (N, 1).

    Args:
        info: What the model file says of itself.
        scheduling: How it runs.
        threads: Threads of each session; None for all CPUs.
    """
    config = _config(CLASSIFIER, "onnxruntime", scheduling)
    config.default_model_filename = MODEL_FILE
    config.input.add(name=INPUT_NAME, data_type="TYPE_UINT8", dims=[info.input_size, info.input_size, 3])
    config.output.add(name=OUTPUT_NAME, data_type="TYPE_FP32", dims=[len(info.labels)], label_filename=LABELS_FILE)
    if info.second_look is not None:
        face = config.output.add(name=FACE_OUTPUT, data_type="TYPE_FP32", dims=[1])
        face.reshape.SetInParent()  # an empty shape: one number for each crop
        config.output.add(name=BOX_OUTPUT, data_type="TYPE_FP32", dims=[4])
    if threads is not None:
        config.parameters["intra_op_thread_count"].string_value = str(threads)
    for batch in sorted({1, scheduling.max_batch}):
        sample = config.model_warmup.add(name=f"batch of {batch}", batch_size=batch, count=1)
        faces = sample.inputs[INPUT_NAME]
        faces.data_type = config.input[0].data_type
        faces.dims.extend(config.input[0].dims)
        faces.random_data = True
    return config


def pipeline_config(model: str, pipeline: PipelineSettings, scheduling: Scheduling) -> Any:
    """The whole pipeline as a model of the Python backend: encoded pictures in, JSON or tensors out.

    Args:
        model: Name of the model file beside the Python file.
        pipeline: What it does.
        scheduling: How it runs.
    """
    config = _config(PIPELINE, "python", scheduling)
    config.input.add(name=PICTURE, data_type="TYPE_STRING", dims=[1])
    for name, kind, sides in (
        (RESULT, "TYPE_STRING", [1]),
        (COUNT, "TYPE_INT32", [1]),
        (BOXES, "TYPE_FP32", [-1, 4]),
        (LABELS, "TYPE_STRING", [-1]),
        (CONFIDENCES, "TYPE_FP32", [-1]),
        (SCORES, "TYPE_FP32", [-1]),
    ):
        config.output.add(name=name, data_type=kind, dims=sides)
    parameters = {
        "model": model,
        "detector": pipeline.detector,
        "detector_options": json.dumps(dict(pipeline.detector_options)),
        "min_score": pipeline.min_score,
        "tile": pipeline.tile,
        "threads": pipeline.threads,
        "batch_size": scheduling.max_batch,
    }
    for name, value in parameters.items():
        if value is not None:
            config.parameters[name].string_value = str(value)
    # Also finds a Python whose NumPy does not go with Triton's backend: such a model fails when it is loaded.
    sample = config.model_warmup.add(name="a drawn picture", batch_size=1, count=1)
    picture = sample.inputs[PICTURE]
    picture.data_type = config.input[0].data_type
    picture.dims.extend(config.input[0].dims)
    picture.input_data_file = PICTURE_FILE
    return config


def to_text(config: Any, comments: Sequence[str]) -> str:
    """The content of ``config.pbtxt``, with comments at its beginning."""
    text: str = text_format.MessageToString(config)
    return "".join(f"# {line}\n" for line in comments) + text


def read_config(path: Path) -> Any:
    """The message in a ``config.pbtxt``.

    Raises:
        OSError: The file cannot be read.
        ValueError: It does not follow Triton's schema.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig())
    except text_format.ParseError as error:
        raise ValueError(f"does not follow Triton's schema: {error}") from error


def _config(name: str, backend: str, scheduling: Scheduling) -> Any:
    config = ModelConfig(name=name, backend=backend, max_batch_size=scheduling.max_batch)
    config.instance_group.add(kind="KIND_GPU" if scheduling.gpu else "KIND_CPU", count=scheduling.instances)
    config.dynamic_batching.max_queue_delay_microseconds = scheduling.max_delay
    config.dynamic_batching.preferred_batch_size.extend(sorted(set(scheduling.preferred_batches)))
    return config
