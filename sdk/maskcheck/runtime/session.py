"""Sessions of ONNX Runtime that report on what they really run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import ModelError, ModelTimeout, RuntimeUnavailable
from maskcheck.log import LOGGER
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.forking import renew_after_fork
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.memory_limits import folding_options
from maskcheck.runtime.model_reading import LONGEST_MESSAGE, read_model
from maskcheck.runtime.onnx_file import has_seven_bit_weights
from maskcheck.runtime.precision import Precision, check_precision, runs_in_float32
from maskcheck.runtime.provider_request import check_active, request_providers
from maskcheck.runtime.providers import CPU, CUDA, DIRECTML, TENSORRT, WEBGPU, Provider, provider_name
from maskcheck.runtime.session_options import session_options
from maskcheck.runtime.time_limits import RunLimit, TimeIsOver, do_within
from maskcheck.texts import shortened

_ONE_RUN_AT_A_TIME = (DIRECTML, WEBGPU)
"""Providers that crash where several threads run a session, or sessions of one device, at the same time. For DirectML,
https://onnxruntime.ai/docs/execution-providers/DirectML-ExecutionProvider.html says so; for both, reports do."""

_ROWS_WITHIN_FIRST_TIMEOUT = 32  # larger first batches have more time, in proportion

_DEFAULT_CONFIG = SessionConfig()

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
"""Attributes that are pickled."""


class OnnxSession:
    """An ONNX Runtime session, made on first use in each process.

    Threads may share it, and it can be pickled: only the configuration is. After a ``fork``, the child makes a session
    of its own, because the parent's threads do not exist there.

    The file is read once, and what was read is what runs. A file whose weights lie in other files is refused.

    Args:
        path: The ONNX file.
        config: Device or providers, and threads. The first of the providers must become active.
        required: With False, a first provider that does not become active is replaced with one warning.
        precision: ``float32`` computes an int8 file in float32; ``stored`` and ``int8`` run the file as it is. ``auto``
            computes in float32 where int8 is slow, inexact or missing: on CUDA and CoreML, on CPUs without int8
            instructions, and, if weights have more than 7 bits, on CPUs whose best ones are AVX2.
        prepare: Changes the file's bytes before they are loaded, for example to free a fixed shape. It must be a
            function of a module, to be pickled.
        timeout: Seconds that loading the file may take, and each run; by default, there is no limit. A run that takes
            longer ends between two operations of the model.
        first_timeout: Seconds for loading and for the first run if there is no `timeout`.
        max_memory: Bytes that runs on the CPU may take, of all sessions in the process that have this limit.
        trusted: Whether the caller has checked the file's hash: it is then loaded by its path, which saves a copy.

    Raises:
        ValueError: An unknown precision, or a `timeout` that is not above 0.
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
        """Forget the session, so that the next use makes another one; returns the forgotten one."""
        forgotten = getattr(self, "_session", None)
        self._lock = threading.Lock()
        self._session: Any = None
        self._int8_as_float32 = False
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
        """The ``onnxruntime.InferenceSession`` of this process; the first use loads the model.

        Raises:
            RuntimeUnavailable: No usable ONNX Runtime, or a required provider is not active.
            ModelError: The file cannot be loaded.
        """
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._session = self._create()
        return self._session

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file as it was loaded, in hexadecimal; None for a trusted file: the caller knows its hash."""
        _ = self.session
        return self._sha256

    @property
    def active_providers(self) -> tuple[str, ...]:
        """Providers that the session reports, in order of preference."""
        return tuple(self.session.get_providers())

    @property
    def int8_as_float32(self) -> bool:
        """Whether an int8 file is computed in float32."""
        _ = self.session
        return self._int8_as_float32

    @property
    def thread_count(self) -> int:
        """Threads that one operator uses."""
        return self.config.threads or default_thread_count()

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the model.

        Args:
            feeds: Inputs of the model by name.

        Returns:
            All outputs, in the file's order.

        Raises:
            RuntimeUnavailable: The run failed, for example because no memory is left or the device is gone.
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
        """Put a run under the time limit, and turn the runtime's errors into ours.

        Args:
            options: The run's ``RunOptions``; None if it has no limit.
            rows: Size of its batch.

        Raises:
            RuntimeUnavailable: The run failed, for example because no memory is left or the device is gone.
            ModelTimeout: It took longer than the limit.
        """
        limit = None if options is None else self._limit(rows)
        with _RUNS.lock if self._session.get_providers()[0] in _ONE_RUN_AT_A_TIME else nullcontext():
            run_limit = None if limit is None else RunLimit(limit, options)
            try:
                yield
            except Exception as error:  # the runtime's exceptions have no public base class
                if run_limit is not None and run_limit.passed:
                    raise self._timeout_error(f"one run on a batch of {rows}", run_limit.seconds) from error
                raise RuntimeUnavailable(
                    f"ONNX Runtime failed while running {self.path.name}: {shortened(str(error), LONGEST_MESSAGE)}"
                ) from error
            finally:
                if run_limit is not None:
                    run_limit.cancel()
        self._has_run = self._has_run or options is not None

    def _limit(self, rows: int) -> float | None:
        """Seconds that a run on a batch of `rows` may take; None for no limit."""
        if self.timeout is not None or self.first_timeout is None or self._has_run:
            return self.timeout
        return self.first_timeout * max(1, rows / _ROWS_WITHIN_FIRST_TIMEOUT)

    def _timeout_error(self, what: str, seconds: float) -> ModelTimeout:
        return ModelTimeout(
            f"{self.path}: {what} takes longer than {seconds:g} seconds;"
            " if you trust the file, MaskClassifier(timeout=...) gives it more time",
            path=str(self.path),
            timeout=seconds,
        )

    def _create(self) -> Any:
        started = perf_counter()
        runtime = import_runtime()
        request = request_providers(self.config, runtime.get_available_providers(), required=self.required)
        model: bytes | str = str(self.path)
        if not self.trusted or self.prepare is not None:
            model, self._sha256 = read_model(self.path, prepare=self.prepare, expected_sha256=self._sha256)
        seven_bit_weights = cache(lambda: _has_seven_bit_weights(model))

        def as_float32(provider: str) -> bool:
            return runs_in_float32(self.precision, provider, seven_bit_weights=seven_bit_weights)

        session, failure = self._load(runtime, request.providers, model, int8_as_float32=as_float32(request.names[0]))
        active = session.get_providers()
        check_active(request, active, failure)
        self._int8_as_float32 = as_float32(active[0])
        if self._int8_as_float32 != as_float32(request.names[0]):
            # The precision was chosen for a provider that did not load.
            session, _ = self._load(runtime, active[:1], model, int8_as_float32=self._int8_as_float32)
        session.disable_fallback()  # a provider that fails later must not be replaced silently
        LOGGER.info(
            "loaded %s in %.0f ms: %s, threads: %d, precision: %s",
            self.path.name,
            (perf_counter() - started) * 1000,
            active[0],
            self.thread_count,
            "int8 computed in float32" if self._int8_as_float32 else "as stored",
        )
        return session

    def _load(
        self, runtime: Any, requested: Sequence[Provider], model: bytes | str, *, int8_as_float32: bool
    ) -> tuple[Any, Exception | None]:
        """A session. If the providers fail but the CPU does not, it is on the CPU, and comes with the failure."""
        names = [provider_name(provider) for provider in requested]
        if {CUDA, TENSORRT} & {*names} and hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # the CUDA and cuDNN libraries that the gpu extra installs as packages
        limit = self.timeout or self.first_timeout
        options = session_options(
            runtime,
            provider=names[0],
            threads=self.thread_count,
            int8_as_float32=int8_as_float32,
            max_memory=self.max_memory,
            path=self.path,
            from_bytes=isinstance(model, bytes),
        )
        folding: dict[str, Any] = {} if self.max_memory is None else folding_options(runtime)

        def load(providers: list[Provider]) -> Any:
            # Without the runtime's own fallback, which prints to standard output, where a program's data may go.
            def make() -> Any:
                return runtime.InferenceSession(model, options, providers=providers, enable_fallback=0, **folding)

            return make() if limit is None else do_within(limit, make)

        try:
            return load([*requested]), None
        except TimeIsOver as error:
            raise self._timeout_error("loading it", limit or 0) from error
        except Exception as error:  # the runtime's exceptions have no public base class
            if names != [CPU]:
                LOGGER.debug("%s does not load %s: %s", names[0], self.path.name, error)
                with suppress(Exception):  # if the CPU fails too, the first error says more
                    return load([CPU]), error
            message = shortened(str(error), LONGEST_MESSAGE)
            raise ModelError(
                f"ONNX Runtime {runtime.__version__} cannot load {self.path}: {message}", path=str(self.path)
            ) from error


def _has_seven_bit_weights(model: bytes | str) -> bool:
    try:
        return has_seven_bit_weights(model if isinstance(model, bytes) else Path(model).read_bytes())
    except (OSError, ValueError):  # loading it says what is wrong
        return False


class _RunLock:
    """The lock of providers that run once at a time in a process."""

    def __init__(self) -> None:
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        self.lock = threading.Lock()


_RUNS = _RunLock()
