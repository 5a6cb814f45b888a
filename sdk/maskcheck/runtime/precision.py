"""The arithmetic that a model runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import int8_features
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.provider_request import request_providers
from maskcheck.runtime.providers import COREML, CPU, CUDA

Precision: TypeAlias = Literal["auto", "stored", "int8", "float32"]
"""Requested arithmetic of a model. An int8 file can run in float32; every other file runs as it is stored."""

_FASTER_IN_FLOAT32 = (CUDA, COREML)
"""Providers that compute an int8 file in float32 by default. CUDA is slower at int8. CoreML has no int8 operations:
they would run on the CPU, while the session reports CoreML."""


def check_precision(precision: str) -> None:
    """Raise ``ValueError`` if `precision` is not one of :data:`Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision: expected {', '.join(get_args(Precision))}, got {precision!r}")


def runs_in_float32(precision: Precision, provider: str, *, seven_bit_weights: Callable[[], bool]) -> bool:
    """Whether an int8 file is computed in float32.

    Args:
        precision: The requested precision.
        provider: Name of the provider that runs the file.
        seven_bit_weights: Gives whether all int8 weights are from -64 to 64; called where that decides.
    """
    if precision == "auto":
        return provider in _FASTER_IN_FLOAT32 or (provider == CPU and not int8_instructions(seven_bit_weights))
    return precision == "float32"


def int8_instructions(seven_bit_weights: Callable[[], bool]) -> tuple[str, ...]:
    """Instructions of this CPU with which an int8 file is fast and exact; empty if it has none, or none for this file.

    Args:
        seven_bit_weights: Gives whether all int8 weights are from -64 to 64; called where that decides.
    """
    if instructions := int8_features():
        return instructions
    instructions = int8_features(seven_bit_weights=True)
    return instructions if instructions and seven_bit_weights() else ()


def wants_int8_file(precision: Precision, config: SessionConfig, *, seven_bit_weights: bool = False) -> bool:
    """Whether to run the int8 file of a network that comes as an int8 file and as a float32 file.

    Args:
        precision: The requested precision; ``auto`` takes the int8 file where it is fast and exact.
        config: Device or providers that the network is to run on.
        seven_bit_weights: Whether all int8 weights of the file are from -64 to 64, as ``maskcheck-export
            quantize-detector`` makes them. On CPUs with AVX2 and no better instructions, only such a file is exact.

    Raises:
        RuntimeUnavailable: No usable ONNX Runtime, or it lacks the requested provider.
    """
    if precision != "auto":
        return precision == "int8"
    available = import_runtime().get_available_providers()
    provider = request_providers(config, available, required=True).names[0]
    return not runs_in_float32("auto", provider, seven_bit_weights=lambda: seven_bit_weights)
