"""Execution providers of ONNX Runtime, and the devices that stand for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Provider: TypeAlias = str | tuple[str, Mapping[str, Any]]
"""Name of an ONNX Runtime execution provider, alone or with its options."""

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


def check_device(device: str) -> None:
    """Raise ``ValueError`` if `device` is not ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:N (N the number of a GPU), got {device!r}")
