"""Which providers a session asks for, and what happens if the first of them does not become active."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from maskcheck.errors import ProviderUnavailable
from maskcheck.log import LOGGER
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.providers import CPU, CUDA, Provider, provider_name
from maskcheck.texts import shortened


class ProviderRequest(NamedTuple):
    """Providers to make a session with.

    Attributes:
        providers: In order of preference.
        required: Whether the first provider must become active; otherwise, another one is used with a warning.
    """

    providers: tuple[Provider, ...]
    required: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The providers without their options."""
        return tuple(map(provider_name, self.providers))


def request_providers(config: SessionConfig, available: Sequence[str], *, required: bool) -> ProviderRequest:
    """The providers to ask for.

    Args:
        config: Device or providers that the user chose.
        available: Providers of the installed runtime.
        required: Whether the first of the chosen providers must become active.

    Raises:
        ProviderUnavailable: The runtime lacks a required provider.
    """
    if config.providers is not None:
        request = ProviderRequest(tuple(config.providers), required)
        if not required:  # ONNX Runtime itself prints a warning for each provider that it lacks
            kept = tuple(provider for provider in request.providers if provider_name(provider) in available)
            check_active(request, list(dict.fromkeys([*map(provider_name, kept), CPU])))
            return ProviderRequest(kept or (CPU,), required)
    elif config.device == "cpu" or (config.device == "auto" and CUDA not in available):
        request = ProviderRequest((CPU,), required=True)
    else:
        number = config.device.partition(":")[2] or "0"
        # Exhaustive search, the default, costs hundreds of milliseconds for each new shape.
        cuda = (CUDA, {"device_id": number, "cudnn_conv_algo_search": "HEURISTIC"})
        request = ProviderRequest((cuda, CPU), required=config.device != "auto")
    if request.required:
        check_active(request, available)
    return request


def check_active(request: ProviderRequest, active: Sequence[str], failure: Exception | None = None) -> None:
    """Warn or raise if the first requested provider is not active.

    Args:
        request: What was requested.
        active: Providers that can be used.
        failure: Why the requested provider does not load, if that is known.

    Raises:
        ProviderUnavailable: The provider is required.
    """
    names = request.names
    if names and names[0] in active:
        return
    problem = f"{names[0] if names else 'no provider'} was requested, but only {', '.join(active)} can be used"
    if failure is not None:
        problem = f"{problem} ({shortened(str(failure))})"
    if request.required:
        raise ProviderUnavailable(f"{problem}; {_advice(names)}", requested=names, active=active) from failure
    LOGGER.info("%s; running on %s", problem, active[0])
    warnings.warn(f"{problem}; running on {active[0]}. {_advice(names)}", RuntimeWarning, stacklevel=4)


def _advice(names: Sequence[str]) -> str:
    if CUDA in names[:1]:
        return (
            'for CUDA, install one runtime only, pip install "maskcheck[gpu]", and a driver that `nvidia-smi` can see;'
            " `maskcheck doctor` shows what is installed"
        )
    return "install the ONNX Runtime distribution that has it; `maskcheck doctor` lists the providers of this one"
