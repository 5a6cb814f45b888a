"""Whether a loaded model is a mask classifier, and whether its outputs are probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME, ModelInfo
from maskcheck.errors import ModelError, ModelMetadataError, ModelOutputError, ModelSignatureError
from maskcheck.runtime.onnx_file import metadata_not_in_utf8
from maskcheck.runtime.precision import Precision
from maskcheck.texts import shortened

_ROUNDING = 1e-3  # by which a sum of probabilities may differ from 1
_MOST_TENSORS = 9  # inputs or outputs that an error message lists


def read_info(session: Any, path: Path, *, precision: Precision) -> ModelInfo:
    """What a model file says about itself, checked against what ONNX Runtime loaded.

    Args:
        session: The ``onnxruntime.InferenceSession`` of the file.
        path: The file, for error messages.
        precision: The requested precision.

    Raises:
        ModelMetadataError: The metadata is missing or damaged.
        ModelSignatureError: Other inputs or outputs than those of a mask classifier.
        ModelError: The file cannot run in the requested precision.
    """
    info = ModelInfo.from_metadata(_metadata(session, path), path=str(path))
    _check_signature(session, info, str(path))
    _check_precision(info, precision, str(path))
    return info


def check_shape(output: NDArray[np.float32], shape: tuple[int, int], path: str) -> None:
    """Raise ``ModelOutputError`` if the output of the model at `path` is not of `shape`: N crops and C labels."""
    if output.shape != shape:
        raise ModelOutputError(
            f"{path} gives no probabilities for each crop: expected shape {shape}, got {shortened(output.shape)}",
            path=path,
        )


def checked_probabilities(output: NDArray[np.float32], path: str) -> NDArray[np.float32]:
    """The output of a model, if it can be probabilities. The check takes some microseconds.

    Args:
        output: float32 (N, C) with N >= 1.
        path: The model file, for error messages.

    Returns:
        float32 (N, C), in [0, 1]: rounding errors are cut off.

    Raises:
        ModelOutputError: Numbers that are not probabilities.
    """
    low, high, sums = float(output.min()), float(output.max()), output.sum(axis=1)
    least, most = float(sums.min()), float(sums.max())
    # Written so that NaN, which fails every comparison, is refused too.
    if not (-_ROUNDING <= low <= high <= 1 + _ROUNDING and 1 - _ROUNDING <= least <= most <= 1 + _ROUNDING):
        raise ModelOutputError(
            f"{path} gives no probabilities: expected numbers from 0 to 1 that add up to 1 for each crop, got numbers"
            f" from {low:g} to {high:g} that add up to {least:g} to {most:g}; the model must end with a softmax",
            path=path,
        )
    return output if low >= 0 and high <= 1 else np.clip(output, 0, 1)


def _metadata(session: Any, path: Path) -> dict[str, str]:
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        try:
            keys = metadata_not_in_utf8(path.read_bytes())
        except (OSError, ValueError):
            keys = []
        raise ModelMetadataError(
            f"{path} has metadata that is not UTF-8: {shortened(', '.join(keys) or repr(error.object))}", path=str(path)
        ) from error


def _check_precision(info: ModelInfo, precision: Precision, path: str) -> None:
    possible = {"int8": ("int8",), "float32": ("int8", "float32")}
    if precision in possible and info.precision not in possible[precision]:
        raise ModelError(
            f"precision {precision} was requested, but {path} is stored in {info.precision}, and only an int8 file can"
            " run in another precision; use auto or stored",
            path=path,
        )


def _check_signature(session: Any, info: ModelInfo, path: str) -> None:
    size, count = info.input_size, len(info.labels)
    expected = f"{INPUT_NAME} tensor(uint8) (N, {size}, {size}, 3) -> {OUTPUT_NAME} tensor(float) (N, {count})"
    try:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        fits = (
            [(tensor.name, tensor.type, list(tensor.shape[1:])) for tensor in inputs]
            == [(INPUT_NAME, "tensor(uint8)", [size, size, 3])]
            and [(tensor.name, tensor.type, list(tensor.shape[1:])) for tensor in outputs]
            == [(OUTPUT_NAME, "tensor(float)", [count])]
            and not isinstance(inputs[0].shape[0], int)
        )
        actual = " -> ".join(
            ", ".join(f"{tensor.name} {tensor.type} {tensor.shape}" for tensor in tensors[:_MOST_TENSORS])
            for tensors in (inputs, outputs)
        )
    except Exception as error:  # names that are not UTF-8; the runtime's exceptions have no public base class
        fits, actual = False, str(error)
    if not fits:
        raise ModelSignatureError(
            f"{path} is no mask classifier: expected {expected} with N free, got {shortened(actual, 500)};"
            " make one with `maskcheck-export convert`",
            path=path,
        )
