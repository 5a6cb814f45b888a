"""ONNX Runtime: which one is installed, and sessions that know where they really run."""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from maskcheck.cpu import default_thread_count, int8_features
from maskcheck.distributions import installed_versions
from maskcheck.errors import (
    ModelError,
    ProviderUnavailable,
    RuntimeConflict,
    RuntimeNotInstalled,
    RuntimeUnavailable,
)

Provider: TypeAlias = str | tuple[str, Mapping[str, Any]]
"""Name of an ONNX Runtime execution provider, alone or with its options."""

Precision: TypeAlias = Literal["auto", "stored", "int8", "float32"]
"""Arithmetic that a model runs in. An int8 file can run in float32; every other file runs as it is stored."""

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

_SPINNING = {"session.force_spinning_stop": "1", "session.intra_op.spin_duration_us": "50"}
"""Threads of a session wait for work by spinning, which pays between the operations of a run only; by default they go
on for a while after it, and take the CPUs from the detector, the next session and the caller's own work. A runtime that
is older than one of these settings ignores it."""

# Every one of these installs the same import package, `onnxruntime`.
_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "onnxruntime-training",
)


def installed_runtimes() -> dict[str, str]:
    """Installed distributions that provide the import package ``onnxruntime``, with their versions."""
    return installed_versions(*_DISTRIBUTIONS)


def import_runtime() -> Any:
    """The module ``onnxruntime``.

    Raises:
        RuntimeNotInstalled: There is none.
        RuntimeConflict: Several distributions are installed, which overwrite each other's files.
        RuntimeUnavailable: It is installed but does not import.
    """
    found = installed_runtimes()
    if len(found) > 1:
        names = " ".join(found)
        raise RuntimeConflict(
            f"several ONNX Runtime distributions are installed and overwrite each other: {names};"
            f" keep one: pip uninstall -y {names}, then pip install the one that you want",
            distributions=tuple(found),
        )
    try:
        runtime = importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
        raise RuntimeNotInstalled(
            'no ONNX Runtime is installed; for a CPU: pip install "maskcheck[cpu]",'
            ' for an NVIDIA GPU: pip install "maskcheck[gpu]"'
        ) from None
    except ImportError as error:
        raise RuntimeUnavailable(f"onnxruntime does not import: {error}; install it again") from error
    if not hasattr(runtime, "InferenceSession"):  # uninstalling one of two distributions leaves such a folder
        raise RuntimeUnavailable(
            f"onnxruntime is damaged: {runtime.__name__} has no InferenceSession;"
            " pip uninstall all its distributions, then install one again"
        )
    return runtime


def check_device(device: str) -> None:
    """Raise ``ValueError`` if `device` is not ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:N (N the number of a GPU), got {device!r}")


def check_precision(precision: str) -> None:
    """Raise ``ValueError`` if `precision` is not one of :data:`Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision: expected {', '.join(get_args(Precision))}, got {precision!r}")


class OnnxSession:
    """An ONNX Runtime session, made on first use in each process.

    It may be shared by threads, and pickled: what travels is the configuration. After a ``fork``, the child makes a
    session of its own, because the parent's threads do not exist there.

    Args:
        path: The ONNX file.
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        providers: Execution providers in order of preference, instead of `device`. The first must become active.
        required: With False, a first provider that does not become active is passed over with one warning.
        threads: Threads for one operator; by default, the CPUs that the process may use.
        precision: ``float32`` computes an int8 file in float; ``stored`` and ``int8`` run the file as it is. ``auto``
            computes in float where int8 is slow or saturates: on CUDA, and on CPUs without instructions for it.
        prepare: Changes the file's bytes before they are loaded, to free a fixed shape, say; a function of a module,
            so that it can be pickled.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str = "auto",
        providers: Sequence[Provider] | None = None,
        required: bool = True,
        threads: int | None = None,
        precision: Precision = "auto",
        prepare: Callable[[bytes], bytes] | None = None,
    ) -> None:
        check_device(device)
        check_precision(precision)
        if isinstance(providers, str):
            raise ValueError(f"providers: expected a list of names, got the text {providers!r}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads: expected 1 or more, or None for the default, got {threads}")
        self.path = path
        self.device = device
        self.providers = None if providers is None else tuple(providers)
        self.required = required
        self.threads = threads
        self.precision: Precision = precision
        self.prepare = prepare
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None
        _sessions.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {key: self.__dict__[key] for key in _CONFIGURATION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def session(self) -> Any:
        """The ``onnxruntime.InferenceSession`` of this process.

        Raises:
            RuntimeUnavailable: No usable ONNX Runtime, or the provider asked for is not active.
            ModelError: The file cannot be loaded.
        """
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._session = self._create()
        return self._session

    @property
    def active_providers(self) -> tuple[str, ...]:
        """Providers that the created session reports, in order of preference."""
        return tuple(self.session.get_providers())

    @property
    def in_float(self) -> bool:
        """Whether an int8 file is computed in float."""
        return self._runs_in_float(self.active_providers[0])

    @property
    def thread_count(self) -> int:
        """Threads that one operator uses."""
        return self.threads or default_thread_count()

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the model; all its outputs, in the file's order.

        Raises:
            RuntimeUnavailable: The run failed: no memory left, or a device that is gone.
        """
        session = self.session
        try:
            outputs = session.run(None, dict(feeds))
        except Exception as error:  # the runtime's exceptions have no public base class
            raise RuntimeUnavailable(f"ONNX Runtime failed while running {self.path.name}: {error}") from error
        return [np.asarray(output) for output in outputs]

    def _create(self) -> Any:
        runtime = import_runtime()
        requested, demanded = self._request(runtime)
        session = self._load(runtime, requested)
        active = session.get_providers()
        self._check(requested, demanded, active)
        if self._runs_in_float(active[0]) != self._runs_in_float(_name(requested[0])):
            session = self._load(runtime, [active[0]])  # the precision was that of a provider that did not load
        session.disable_fallback()  # a provider that fails later must not be replaced in silence
        return session

    def _load(self, runtime: Any, requested: list[Provider]) -> Any:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.thread_count
        options.inter_op_num_threads = 1
        for key, value in _SPINNING.items():
            options.add_session_config_entry(key, value)
        try:
            if self._runs_in_float(_name(requested[0])):
                options.add_session_config_entry("session.disable_quant_qdq", "1")
            model = self.prepare(self.path.read_bytes()) if self.prepare else str(self.path)
            # Where a GPU does not load, the runtime prints why, to the output that may be a program's data.
            with redirect_stdout(sys.stderr) if requested != [CPU] else nullcontext():
                if {CUDA, TENSORRT} & {*map(_name, requested)} and hasattr(runtime, "preload_dlls"):
                    runtime.preload_dlls()  # the CUDA and cuDNN libraries that the gpu extra installs as packages
                return runtime.InferenceSession(model, options, providers=requested)
        except Exception as error:  # the runtime's exceptions have no public base class
            raise ModelError(
                f"ONNX Runtime {runtime.__version__} cannot load {self.path}: {error}", path=str(self.path)
            ) from error

    def _runs_in_float(self, provider: str) -> bool:
        if self.precision == "auto":
            return provider == CUDA or (provider == CPU and not int8_features())
        return self.precision == "float32"

    def _request(self, runtime: Any) -> tuple[list[Provider], bool]:
        """Providers to ask for, and whether the first of them is a must."""
        available = runtime.get_available_providers()
        if self.providers is not None:
            requested, demanded = list(self.providers), self.required
            if not demanded:  # the runtime would warn of what it does not have in words of its own
                kept = [one for one in requested if _name(one) in available]
                self._check(requested, demanded, [*map(_name, kept), CPU])
                requested = kept or [CPU]
        elif self.device == "cpu" or (self.device == "auto" and CUDA not in available):
            requested, demanded = [CPU], True
        else:
            number = self.device.partition(":")[2] or "0"
            # Exhaustive search, the default, costs hundreds of milliseconds for each new shape.
            cuda = (CUDA, {"device_id": number, "cudnn_conv_algo_search": "HEURISTIC"})
            requested, demanded = [cuda, CPU], self.device != "auto"
        if not requested or (demanded and _name(requested[0]) not in available):
            self._check(requested, demanded, available)
        return requested, demanded

    def _check(self, requested: Sequence[Provider], demanded: bool, active: Sequence[str]) -> None:
        names = [_name(provider) for provider in requested]
        if names and names[0] in active:
            return
        problem = f"{names[0] if names else 'no provider'} was asked for, but active are only {', '.join(active)}"
        if demanded:
            raise ProviderUnavailable(f"{problem}; {_advice(names)}", requested=names, active=active)
        warnings.warn(f"{problem}; running on {active[0]}. {_advice(names)}", RuntimeWarning, stacklevel=4)


_CONFIGURATION = ("path", "device", "providers", "required", "threads", "precision", "prepare")
_sessions: weakref.WeakSet[OnnxSession] = weakref.WeakSet()
_inherited: list[Any] = []


def _forget_sessions() -> None:
    """In a forked child: every session is to be made anew, its lock too, which another thread may have held."""
    for one in _sessions:
        # The inherited session must not even be destroyed: it would wait for threads that are not there.
        _inherited.append(one._session)
        one._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_sessions)


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def _advice(names: Sequence[str]) -> str:
    if CUDA in names[:1]:
        return (
            'for CUDA, install one runtime only, pip install "maskcheck[gpu]", and a driver that `nvidia-smi` can see;'
            " `maskcheck doctor` shows what is there"
        )
    return "install the ONNX Runtime distribution that has it; `maskcheck doctor` lists what this one offers"
