"""Sessions of ONNX Runtime that know where they really run."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import (
    ModelError,
    ModelTimeout,
    ProviderUnavailable,
    RuntimeUnavailable,
)
from maskcheck.log import LOGGER
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import default_thread_count, int8_features
from maskcheck.runtime.forking import renew_after_fork
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.memory_limits import bounded_memory, folding_options
from maskcheck.runtime.onnx_file import has_external_data
from maskcheck.runtime.providers import CPU, CUDA, TENSORRT, Provider
from maskcheck.runtime.time_limits import RunLimit, TimeIsOver, do_within
from maskcheck.texts import shortened

Precision: TypeAlias = Literal["auto", "stored", "int8", "float32"]
"""Arithmetic that a model runs in. An int8 file can run in float32; every other file runs as it is stored."""

_COREML = "CoreMLExecutionProvider"
_DIRECTML = "DmlExecutionProvider"
_WEBGPU = "WebGpuExecutionProvider"

_IN_FLOAT = (CUDA, _COREML)
"""Providers, beside CPUs without instructions for it, on which an int8 file is computed in float: CUDA is slower at
int8, and CoreML cannot run it: those operations would run on the CPU while the session reports CoreML."""

_ONE_AT_A_TIME = (_DIRECTML, _WEBGPU)
"""Providers that crash where several threads run a session, or sessions of one device, at the same time. For DirectML,
https://onnxruntime.ai/docs/execution-providers/DirectML-ExecutionProvider.html says so; for both, reports do."""

_LARGEST_FILE = 2**31 - 1  # bytes; protocol buffers go no further
_LONGEST_MESSAGE = 500  # characters of the runtime's, which quotes names in the file

_SPINNING = {"session.force_spinning_stop": "1", "session.intra_op.spin_duration_us": "50"}
"""Threads of a session wait for work by spinning, which pays between the operations of a run only; by default they go
on for a while after it, and take the CPUs from the detector, the next session and the caller's own work. A runtime that
is older than one of these settings ignores it."""


_DEFAULT_CONFIG = SessionConfig()


def check_precision(precision: str) -> None:
    """Raise ``ValueError`` if `precision` is not one of :data:`Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision: expected {', '.join(get_args(Precision))}, got {precision!r}")


class OnnxSession:
    """An ONNX Runtime session, made on first use in each process.

    It may be shared by threads, and pickled: what travels is the configuration. After a ``fork``, the child makes a
    session of its own, because the parent's threads do not exist there.

    The file is read once, and what was read is what runs: a file whose weights lie in other files is refused.

    Args:
        path: The ONNX file.
        config: Device or providers, and threads. The first of the providers must become active.
        required: With False, a first provider that does not become active is passed over with one warning.
        precision: ``float32`` computes an int8 file in float; ``stored`` and ``int8`` run the file as it is. ``auto``
            computes in float where int8 is slow, saturates or is not there: on CUDA and CoreML, and on CPUs without
            instructions for it.
        prepare: Changes the file's bytes before they are loaded, to free a fixed shape, say; a function of a module,
            so that it can be pickled.
        timeout: Seconds that loading the file may take, and each run; by default, there is no limit. A run that takes
            longer ends between two operations of the model.
        first_timeout: Limit for loading and for the first run where there is no `timeout`.
        max_memory: Bytes that runs on the CPU may take, of all sessions in the process that have this limit.
        trusted: Whether the caller knows the file by its hash: it is loaded by its path, which saves a copy.
    """

    def __init__(
        self,
        path: Path,
        config: SessionConfig = _DEFAULT_CONFIG,
        *,
        required: bool = True,
        precision: Precision = "auto",
        prepare: Callable[[bytes], bytes] | None = None,
        timeout: float | None = None,
        first_timeout: float | None = None,
        max_memory: int | None = None,
        trusted: bool = False,
    ) -> None:
        check_precision(precision)
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout: expected seconds above 0, or None for the default, got {timeout}")
        self.path = path
        self.config = config
        self.required = required
        self.precision: Precision = precision
        self.prepare = prepare
        self.timeout = timeout
        self.first_timeout = first_timeout
        self.max_memory = max_memory
        self.trusted = trusted
        self._sha256: str | None = None
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        """Forget the session, so that the next use makes another one; returns the one that was forgotten."""
        forgotten = getattr(self, "_session", None)
        self._lock = threading.Lock()
        self._session: Any = None
        self._has_run = False
        return forgotten

    def __getstate__(self) -> dict[str, Any]:
        return {key: self.__dict__[key] for key in _CONFIGURATION}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._sha256 = None
        self.renew()
        renew_after_fork(self)

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
                    started = perf_counter()
                    self._session = self._create()
                    ms, provider = (perf_counter() - started) * 1000, self._session.get_providers()[0]
                    LOGGER.info(
                        "loaded %s in %.0f ms: %s, threads: %d", self.path.name, ms, provider, self.thread_count
                    )
        return self._session

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file as it was loaded, in hexadecimal; None for a trusted one, whose hash the caller knows."""
        _ = self.session
        return self._sha256

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
        return self.config.threads or default_thread_count()

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the model; all its outputs, in the file's order.

        Raises:
            RuntimeUnavailable: The run failed: no memory left, or a device that is gone.
            ModelTimeout: It took longer than the limit.
        """
        session = self.session
        rows = max((len(feed) for feed in feeds.values() if feed.ndim), default=1)
        options = None if self._limit(rows) is None else import_runtime().RunOptions()
        with self.guarded(options, rows):
            outputs = session.run(None, dict(feeds), options)
        return [np.asarray(output) for output in outputs]

    @contextmanager
    def guarded(self, options: Any, rows: int) -> Iterator[None]:
        """Around a run: its errors become ours, and it ends when its time is over.

        Args:
            options: The run's ``RunOptions``; None where it has no limit.
            rows: Size of its batch.

        Raises:
            RuntimeUnavailable: The run failed: no memory left, or a device that is gone.
            ModelTimeout: It took longer than the limit.
        """
        limit = None if options is None else self._limit(rows)
        with _ONLY_ONE.lock if self._session.get_providers()[0] in _ONE_AT_A_TIME else nullcontext():
            over = None if limit is None else RunLimit(limit, options)
            try:
                yield
            except Exception as error:  # the runtime's exceptions have no public base class
                if over is not None and over.passed:
                    raise self._too_long(f"one run on a batch of {rows}", over.seconds) from error
                raise RuntimeUnavailable(
                    f"ONNX Runtime failed while running {self.path.name}: {shortened(str(error), _LONGEST_MESSAGE)}"
                ) from error
            finally:
                if over is not None:
                    over.cancel()
        self._has_run = self._has_run or options is not None

    def _limit(self, rows: int) -> float | None:
        """Seconds that a run on a batch of so many rows may take."""
        if self.timeout is not None or self.first_timeout is None or self._has_run:
            return self.timeout
        return self.first_timeout * max(1, rows / _ROWS_OF_A_LIMIT)

    def _too_long(self, what: str, seconds: float) -> ModelTimeout:
        return ModelTimeout(
            f"{self.path}: {what} takes longer than {seconds:g} seconds;"
            " if you trust the file, MaskClassifier(timeout=...) gives it more time",
            path=str(self.path),
            timeout=seconds,
        )

    def _create(self) -> Any:
        runtime = import_runtime()
        requested, demanded = self._request(runtime)
        model = self._read()
        session, failure = self._load(runtime, requested, model)
        active = session.get_providers()
        self._check(requested, demanded, active, failure)
        if self._runs_in_float(active[0]) != self._runs_in_float(_name(requested[0])):
            # The precision was that of a provider that did not load.
            session, _ = self._load(runtime, [active[0]], model)
        session.disable_fallback()  # a provider that fails later must not be replaced in silence
        return session

    def _read(self) -> bytes | str:
        """What a session is made from: the content of the file, or its path where it is trusted."""
        if self.trusted and self.prepare is None:
            return str(self.path)
        path = str(self.path)
        try:
            if self.path.stat().st_size > _LARGEST_FILE:
                raise ModelError(
                    f"{path} has more than 2 GB: no ONNX file has, and weights beside it are not read", path=path
                )
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror or error}", path=path) from error
        sha256 = hashlib.sha256(content).hexdigest()
        if self._sha256 not in (None, sha256):
            raise ModelError(f"{path} has changed since it was first loaded; start the program again", path=path)
        try:
            prepared = self.prepare(content) if self.prepare else content
            external = has_external_data(prepared)
        except Exception as error:
            raise ModelError(f"cannot load {path}: {shortened(str(error), _LONGEST_MESSAGE)}", path=path) from error
        if external:
            raise ModelError(
                f"{path} has weights in another file, which could change unseen; one file is expected:"
                " save it again without external data",
                path=path,
            )
        self._sha256 = sha256
        return prepared

    def _load(self, runtime: Any, requested: list[Provider], model: bytes | str) -> tuple[Any, Exception | None]:
        """A session; where the providers fail but the CPU does not, one on the CPU, and the failure."""
        if {CUDA, TENSORRT} & {*map(_name, requested)} and hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # the CUDA and cuDNN libraries that the gpu extra installs as packages
        limit = self.timeout or self.first_timeout
        options = self._options(runtime, _name(requested[0]), model)
        folding: dict[str, Any] = {} if self.max_memory is None else folding_options(runtime)

        def load(providers: list[Provider]) -> Any:
            # Without the runtime's own fallback, which prints to the output that may be a program's data.
            def make() -> Any:
                return runtime.InferenceSession(model, options, providers=providers, enable_fallback=0, **folding)

            return make() if limit is None else do_within(limit, make)

        try:
            return load(requested), None
        except TimeIsOver as error:
            raise self._too_long("loading it", limit or 0) from error
        except Exception as error:  # the runtime's exceptions have no public base class
            if requested != [CPU]:
                with suppress(Exception):  # if the CPU fails too, the first error says more
                    return load([CPU]), error
            message = shortened(str(error), _LONGEST_MESSAGE)
            raise ModelError(
                f"ONNX Runtime {runtime.__version__} cannot load {self.path}: {message}", path=str(self.path)
            ) from error

    def _options(self, runtime: Any, provider: str, model: bytes | str) -> Any:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.thread_count
        options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL
        if provider == _DIRECTML:
            options.enable_mem_pattern = False  # as it demands
        entries = {**_SPINNING}
        if self._runs_in_float(provider):
            entries["session.disable_quant_qdq"] = "1"
        if self.max_memory is not None:
            entries |= bounded_memory(runtime, self.max_memory)
        if isinstance(model, bytes):
            entries["session.load_model_format"] = "ONNX"  # and not the runtime's own format, which nothing here checks
            # A folder that cannot be, below a file: if all else failed, no other file is found.
            entries["session.model_external_initializers_file_folder_path"] = str(self.path / "none")
        for key, value in entries.items():
            options.add_session_config_entry(key, value)
        return options

    def _runs_in_float(self, provider: str) -> bool:
        if self.precision == "auto":
            return provider in _IN_FLOAT or (provider == CPU and not int8_features())
        return self.precision == "float32"

    def _request(self, runtime: Any) -> tuple[list[Provider], bool]:
        """Providers to ask for, and whether the first of them is a must."""
        available = runtime.get_available_providers()
        if self.config.providers is not None:
            requested, demanded = list(self.config.providers), self.required
            if not demanded:  # the runtime would warn of what it does not have in words of its own
                kept = [one for one in requested if _name(one) in available]
                self._check(requested, demanded, [*map(_name, kept), CPU])
                requested = kept or [CPU]
        elif self.config.device == "cpu" or (self.config.device == "auto" and CUDA not in available):
            requested, demanded = [CPU], True
        else:
            number = self.config.device.partition(":")[2] or "0"
            # Exhaustive search, the default, costs hundreds of milliseconds for each new shape.
            cuda = (CUDA, {"device_id": number, "cudnn_conv_algo_search": "HEURISTIC"})
            requested, demanded = [cuda, CPU], self.config.device != "auto"
        if not requested or (demanded and _name(requested[0]) not in available):
            self._check(requested, demanded, available)
        return requested, demanded

    def _check(
        self, requested: Sequence[Provider], demanded: bool, active: Sequence[str], failure: Exception | None = None
    ) -> None:
        names = [_name(provider) for provider in requested]
        if names and names[0] in active:
            return
        problem = f"{names[0] if names else 'no provider'} was asked for, but active are only {', '.join(active)}"
        if failure is not None:
            problem = f"{problem} ({shortened(str(failure))})"
        if demanded:
            raise ProviderUnavailable(f"{problem}; {_advice(names)}", requested=names, active=active) from failure
        warnings.warn(f"{problem}; running on {active[0]}. {_advice(names)}", RuntimeWarning, stacklevel=4)


_CONFIGURATION = (
    "path",
    "config",
    "required",
    "precision",
    "prepare",
    "timeout",
    "first_timeout",
    "max_memory",
    "trusted",
)
_FATAL = 4  # all that goes wrong comes as an exception; a log would print names in the file to the terminal
_ROWS_OF_A_LIMIT = 32  # larger batches have as much more time for their first run


class _OnlyOne:
    """The lock of providers that run once at a time in a process."""

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        self.lock = threading.Lock()


_ONLY_ONE = _OnlyOne()


def _name(provider: Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def _advice(names: Sequence[str]) -> str:
    if CUDA in names[:1]:
        return (
            'for CUDA, install one runtime only, pip install "maskcheck[gpu]", and a driver that `nvidia-smi` can see;'
            " `maskcheck doctor` shows what is there"
        )
    return "install the ONNX Runtime distribution that has it; `maskcheck doctor` lists what this one offers"
