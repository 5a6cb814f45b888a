"""The README of a model repository: what each model takes and gives, and how to start Triton."""

from __future__ import annotations

from pathlib import Path

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, INPUT_NAME, OUTPUT_NAME, ModelInfo
from maskcheck_export.triton.settings import CLASSIFIER, PIPELINE, PipelineSettings, Scheduling
from maskcheck_export.writing.markdown import table

GUIDE_FILE = "README-maskcheck.md"
IMAGE = "nvcr.io/nvidia/tritonserver:24.12-py3"
"""Has Python 3.12; that of 24.10 and before has 3.10, which is too old."""

_SLOW_THERE = (
    "On GPUs, an int8 file is slow: Triton cannot compute it in float32, as the SDK does. Write the repository with a"
    " float32 file: `--model`.",
    "",
)


def guide(folder: Path, info: ModelInfo, sha256: str, pipeline: PipelineSettings, scheduling: Scheduling) -> str:
    """The README.

    Args:
        folder: The repository.
        info: What the model file says of itself.
        sha256: Hash of the model file, in hexadecimal.
        pipeline: What the whole pipeline does.
        scheduling: How the models run.
    """
    size, labels = info.input_size, ", ".join(info.labels)
    classifier = [
        ("in", INPUT_NAME, f"UINT8 (N, {size}, {size}, 3)", "face crops, RGB, N up to " + str(scheduling.max_batch)),
        ("out", OUTPUT_NAME, f"FP32 (N, {len(info.labels)})", labels),
    ]
    if info.second_look is not None:
        classifier += [
            ("out", FACE_OUTPUT, "FP32 (N, 1)", "probability that the crop is of a face"),
            ("out", BOX_OUTPUT, "FP32 (N, 4)", "place of the face, relative to the square of the box"),
        ]
    whole = [
        ("in", "picture", "BYTES (N, 1)", "encoded pictures: JPEG, PNG, WebP, ..."),
        ("out", "result", "BYTES (N, 1)", "JSON of the schema `maskcheck/1`, with `error` for a picture that failed"),
        ("out", "num_faces", "INT32 (N, 1)", "faces found; -1 for a picture that failed"),
        ("out", "boxes", "FP32 (N, F, 4)", "x1, y1, x2, y2 in pixels; F: faces of the picture with the most"),
        ("out", "labels", "BYTES (N, F)", "the most probable label"),
        ("out", "confidences", "FP32 (N, F)", "its probability"),
        ("out", "scores", "FP32 (N, F)", "detection score"),
    ]
    head = ("", "Tensor", "Type and shape", "What it is")
    needed = '"maskcheck[gpu]"' if scheduling.gpu else '"maskcheck[cpu]"'
    gpus = "--gpus all " if scheduling.gpu else ""
    options = ", ".join(f"{name}={value}" for name, value in pipeline.detector_options.items())
    return "\n".join(
        (
            "# Face masks on Triton Inference Server",
            "",
            "## Start",
            "",
            f"    docker run --rm {gpus}--shm-size 1g -p 8000:8000 -p 8001:8001 -p 8002:8002 \\",
            f"      -v {folder.resolve()}:/models {IMAGE} \\",
            f"      sh -c 'pip install {needed} && tritonserver --model-repository /models'",
            "",
            f"The model `{PIPELINE}` runs in Triton's Python: install there what its detector, `{pipeline.detector}`,"
            " needs, too.",
            "If it fails with `unpack_from requires a buffer`, that Triton was built for NumPy 1: add `'numpy<2'`.",
            f"To start without it, and install nothing: `--model-control-mode explicit --load-model {CLASSIFIER}`.",
            "",
            f"## `{PIPELINE}`: pictures in, faces out",
            "",
            f"Detector `{pipeline.detector}`{f' ({options})' if options else ''} and the classifier below.",
            "A request that does not ask for `result` fails where one of its pictures does.",
            "",
            table(head, whole),
            "",
            f"## `{CLASSIFIER}`: face crops in, probabilities out",
            "",
            f"A crop is the square around a face box, with {info.crop_margin:g} of its longer side added on each side:"
            " `MaskClassifier.crop` cuts it.",
            "",
            table(head, classifier),
            "",
            f"Precision {info.precision}; SHA-256 of the file `{sha256}`; licence {info.license}.",
            "",
            *(_SLOW_THERE if scheduling.gpu and info.precision == "int8" else ()),
            "## Change and check",
            "",
            "`config.pbtxt` of each model says how it runs; after changes, `maskcheck-export triton DIR --check`.",
            "",
        )
    )
