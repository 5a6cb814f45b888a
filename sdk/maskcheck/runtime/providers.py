"""Execution providers of ONNX Runtime, and the devices that stand for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Provider: TypeAlias = str | tuple[str, Mapping[str, Any]]
"""Name of an ONNX Runtime execution provider, alone or with its options."""

COREML = "CoreMLExecutionProvider"
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
DIRECTML = "DmlExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
WEBGPU = "WebGpuExecutionProvider"


def provider_name(provider: Provider) -> str:
    """The name of a provider, without its options."""
    return provider if isinstance(provider, str) else provider[0]


def check_device(device: str) -> None:
    """Raise ``ValueError`` if `device` is not ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:N (N is the number of a GPU), got {device!r}")
