"""Checks a model repository: Triton's schema, and each ONNX file with the shapes that its configuration declares.

The backends of Triton check more, when they load a model. This finds what can be found without Triton.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck import MaskClassifier
from maskcheck.errors import MaskCheckError
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.session import OnnxSession
from maskcheck_export.errors import DataError
from maskcheck_export.triton.configs import CONFIG_FILE, MODEL_FILE, read_config
from maskcheck_export.triton.settings import CLASSIFIER, PIPELINE

_KINDS = {
    "tensor(uint8)": ("TYPE_UINT8", np.uint8),
    "tensor(float)": ("TYPE_FP32", np.float32),
    "tensor(float16)": ("TYPE_FP16", np.float16),
}
"""Of ONNX Runtime: Triton's name, and NumPy's."""


def check_repository(folder: Path) -> dict[str, list[str]]:
    """What is wrong with each model of this package in a repository, by name; an empty list for none.

    Raises:
        DataError: None of the models is there.
    """
    names = [name for name in (CLASSIFIER, PIPELINE) if (folder / name).is_dir()]
    if not names:
        raise DataError(f"{folder}: expected a model repository with {CLASSIFIER} or {PIPELINE}, found neither")
    return {name: list(_faults(folder / name, name)) for name in names}


def _faults(folder: Path, name: str) -> Iterator[str]:
    try:
        config = read_config(folder / CONFIG_FILE)
    except (OSError, ValueError) as error:
        yield f"{CONFIG_FILE}: {error}"
        return
    if config.name != name:
        yield f"{CONFIG_FILE}: expected the name of the folder, {name}, got {config.name!r}"
    batches = config.dynamic_batching.preferred_batch_size
    yield from (
        f"preferred_batch_size: expected at most max_batch_size, {config.max_batch_size}, got {size}"
        for size in batches
        if not 1 <= size <= config.max_batch_size
    )
    for sample in config.model_warmup:
        for tensor in sample.inputs.values():
            if tensor.input_data_file and not (folder / "warmup" / tensor.input_data_file).is_file():
                yield f"no file warmup/{tensor.input_data_file}, on which the model warms up"
    versions = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal())
    if not versions:
        yield "no folder of a version, such as 1"
    checks: dict[str, Callable[[Path, Any], Iterator[str]]] = {"onnxruntime": _onnx_faults, "python": _python_faults}
    check = checks.get(config.backend)
    if check is None:
        yield f"backend: expected {' or '.join(checks)}, got {config.backend!r}"
        return
    for version in versions:
        yield from (f"version {version.name}: {fault}" for fault in check(version, config))


def _onnx_faults(version: Path, config: Any) -> Iterator[str]:
    session = OnnxSession(version / (config.default_model_filename or MODEL_FILE), SessionConfig("cpu"))
    try:
        loaded = session.session
    except MaskCheckError as error:
        yield str(error)
        return
    differs = False
    for what, tensors, declared in (
        ("input", loaded.get_inputs(), config.input),
        ("output", loaded.get_outputs(), config.output),
    ):
        expected = {tensor.name: (_KINDS.get(tensor.type, ("?",))[0], _sides(tensor)) for tensor in tensors}
        given = {tensor.name: (_type_name(tensor), [-1, *_inner(tensor)]) for tensor in declared}
        if given != expected:
            differs = True
            yield f"{what}: the file has {_in_words(expected)}, {CONFIG_FILE} declares {_in_words(given)}"
    if differs or config.max_batch_size < 1:
        return
    types = {tensor.name: _KINDS[tensor.type][1] for tensor in loaded.get_inputs()}
    for batch in sorted({1, config.max_batch_size}):
        feeds = {one.name: np.zeros((batch, *_inner(one)), types[one.name]) for one in config.input}
        try:
            outputs = session.run(feeds)
        except MaskCheckError as error:
            yield f"a batch of {batch}: {error}"
            continue
        shapes = {tensor.name: output.shape for tensor, output in zip(loaded.get_outputs(), outputs, strict=True)}
        for one in config.output:
            if shapes[one.name] != (batch, *_inner(one)):
                yield f"a batch of {batch}: {one.name} has shape {shapes[one.name]}, expected {(batch, *_inner(one))}"


def _python_faults(version: Path, config: Any) -> Iterator[str]:
    try:
        compile((version / "model.py").read_text(encoding="utf-8"), "model.py", "exec")
    except (OSError, SyntaxError) as error:
        yield f"model.py: {error}"
    name = config.parameters["model"].string_value
    if not name:
        yield f"{CONFIG_FILE}: expected the parameter `model`, the name of a model file"
        return
    try:
        MaskClassifier(version / name, device="cpu").warm_up()
    except MaskCheckError as error:
        yield str(error)


def _sides(tensor: Any) -> list[int]:
    """The shape of a tensor of ONNX Runtime, with -1 for what is free."""
    return [side if isinstance(side, int) else -1 for side in tensor.shape]


def _inner(tensor: Any) -> list[int]:
    """The shape that a backend gets, without the batch."""
    return list(tensor.reshape.shape if tensor.HasField("reshape") else tensor.dims)


def _type_name(tensor: Any) -> str:
    field = tensor.DESCRIPTOR.fields_by_name["data_type"]
    return str(field.enum_type.values_by_number[tensor.data_type].name)


def _in_words(tensors: dict[str, tuple[str, list[int]]]) -> str:
    return ", ".join(f"{name} {kind} {shape}" for name, (kind, shape) in sorted(tensors.items())) or "none"
