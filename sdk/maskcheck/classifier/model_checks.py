"""Whether a loaded model is a mask classifier, and whether its outputs can be what they are meant to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, INPUT_NAME, OUTPUT_NAME, ModelInfo
from maskcheck.classifier.second_look import Look
from maskcheck.errors import ModelError, ModelMetadataError, ModelOutputError, ModelSignatureError
from maskcheck.runtime.onnx_file import metadata_not_in_utf8
from maskcheck.runtime.precision import Precision
from maskcheck.texts import shortened

_ROUNDING = 1e-3  # by which a sum of probabilities may differ from 1
_MOST_TENSORS = 9  # inputs or outputs that an error message lists

_Kind: TypeAlias = tuple[str, list[int] | None]


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


def checked_look(outputs: Mapping[str, NDArray[np.float32]], info: ModelInfo, rows: int, count: int, path: str) -> Look:
    """The outputs of one run, if they can be what they are meant to be. The checks take some microseconds.

    Args:
        outputs: All outputs of the model by name, of `rows` crops.
        info: What the model file says about itself.
        rows: Crops in the run, with those that only fill it up.
        count: Crops that count, the first ones; 1 or more.
        path: The model file, for error messages.

    Returns:
        What the model says of `count` crops: rounding errors of probabilities are cut off.

    Raises:
        ModelOutputError: Another shape, or numbers that are no probabilities, or a box that is not finite.
    """
    labels = _of_shape(outputs[OUTPUT_NAME], (rows, len(info.labels)), "probabilities for each crop", path)[:count]
    if info.second_look is None:
        return Look(_checked_probabilities(labels, path))
    face = _of_shape(outputs[FACE_OUTPUT], (rows,), "probability of a face for each crop", path)[:count]
    box = _of_shape(outputs[BOX_OUTPUT], (rows, 4), "box for each crop", path)[:count]
    return Look(_checked_probabilities(labels, path), _checked_face(face, path), _checked_box(box, path))


def _of_shape(output: NDArray[np.float32], shape: tuple[int, ...], what: str, path: str) -> NDArray[np.float32]:
    if output.shape != shape:
        raise ModelOutputError(
            f"{path} gives no {what}: expected shape {shape}, got {shortened(output.shape)}", path=path
        )
    return output


def _checked_probabilities(output: NDArray[np.float32], path: str) -> NDArray[np.float32]:
    """Probabilities (N, C) that add up to 1, N >= 1."""
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


def _checked_face(output: NDArray[np.float32], path: str) -> NDArray[np.float32]:
    """Probabilities (N,), N >= 1."""
    low, high = float(output.min()), float(output.max())
    if not -_ROUNDING <= low <= high <= 1 + _ROUNDING:  # so that NaN is refused too
        raise ModelOutputError(
            f"{path} gives no probability of a face: expected numbers from 0 to 1, got numbers from {low:g} to"
            f" {high:g}; its output {FACE_OUTPUT} must end with a sigmoid",
            path=path,
        )
    return output if low >= 0 and high <= 1 else np.clip(output, 0, 1)


def _checked_box(output: NDArray[np.float32], path: str) -> NDArray[np.float32]:
    if not np.isfinite(output).all():
        raise ModelOutputError(f"{path} gives no box: expected finite numbers, got NaN or infinity", path=path)
    return output


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
    size = info.input_size
    expected_inputs: dict[str, _Kind] = {INPUT_NAME: ("tensor(uint8)", [size, size, 3])}
    expected_outputs: dict[str, _Kind] = {OUTPUT_NAME: ("tensor(float)", [len(info.labels)])}
    if info.second_look is not None:
        expected_outputs |= {FACE_OUTPUT: ("tensor(float)", []), BOX_OUTPUT: ("tensor(float)", [4])}
    try:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        fits = (
            _kinds(inputs) == expected_inputs
            and _kinds(outputs) == expected_outputs
            and not isinstance(inputs[0].shape[0], int)
        )
        actual = " -> ".join(
            ", ".join(f"{tensor.name} {tensor.type} {tensor.shape}" for tensor in tensors[:_MOST_TENSORS])
            for tensors in (inputs, outputs)
        )
    except Exception as error:  # names that are not UTF-8; the runtime's exceptions have no public base class
        fits, actual = False, str(error)
    if not fits:
        expected = " -> ".join(
            ", ".join(
                f"{name} {kind} ({', '.join(map(str, ['N', *(sides or [])]))})"
                for name, (kind, sides) in tensors.items()
            )
            for tensors in (expected_inputs, expected_outputs)
        )
        raise ModelSignatureError(
            f"{path} is no mask classifier: expected {expected} with N free, got {shortened(actual, 500)};"
            " make one with `maskcheck-export convert`",
            path=path,
        )


def _kinds(tensors: Sequence[Any]) -> dict[str, _Kind]:
    """Type of each tensor, and its shape without the number of crops. Outputs may come in any order."""
    return {tensor.name: (tensor.type, list(tensor.shape[1:]) if tensor.shape else None) for tensor in tensors}
