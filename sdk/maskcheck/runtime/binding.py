"""Batches of few sizes, in buffers that stay on the device: what a GPU wants."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.runtime.forking import renew_after_fork
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CUDA, TENSORRT
from maskcheck.runtime.session import OnnxSession

BOUND = (CUDA, TENSORRT)
"""Providers whose buffers are kept on the device, all of them CUDA's."""


def padded(batch: NDArray[Any], limit: int) -> NDArray[Any]:
    """A batch filled up with zeros to the next power of two, but not beyond `limit`.

    Providers other than the CPU compile kernels or search algorithms for each new shape; so there are few shapes.

    Args:
        batch: (N, ...), N from 1 to `limit`.
        limit: Most rows, 1 or more.

    Returns:
        (M, ...), M from N: the batch itself where it has such a size, else a copy.
    """
    count = len(batch)
    size = min(1 << (count - 1).bit_length(), limit)
    if size == count:
        return batch
    filled = np.zeros((size, *batch.shape[1:]), batch.dtype)
    filled[:count] = batch
    return filled


class BoundRunner:
    """Runs a session of one input and one output with a pair of buffers for each shape, which are used again.

    With the option ``enable_cuda_graph`` of the CUDA provider, each shape has a graph of its own: it is captured in the
    first run and replayed in those that follow. Threads take turns, as captured graphs demand.

    Args:
        session: The session; rows of its output have a fixed shape and are float32.
    """

    def __init__(self, session: OnnxSession) -> None:
        self._session = session
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        """Forget the buffers, which belong to the session of another process; returns those that were forgotten."""
        forgotten = getattr(self, "_pairs", None)
        self._lock = threading.Lock()
        self._made_for: Any = None
        self._pairs: dict[tuple[int, ...], _Pair] = {}
        return forgotten

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Run the model on a batch.

        Args:
            batch: (N, ...), as the input of the model.

        Returns:
            float32 (N, ...): the output of the model, a copy.

        Raises:
            RuntimeUnavailable: The run failed: no memory left, or a device that is gone.
            ModelTimeout: It took longer than the limit of the session.
        """
        session = self._session.session
        with self._lock:
            if self._made_for is not session:  # the session was made anew
                self._made_for, self._pairs = session, {}
            with self._session.guarded(None, len(batch)):
                pair = self._pairs.get(batch.shape)
                if pair is None:
                    pair = self._pairs[batch.shape] = _bind(session, batch, graph=len(self._pairs) + 1)
                pair.input.update_inplace(np.ascontiguousarray(batch))
            with self._session.guarded(pair.options, len(batch)):
                session.run_with_iobinding(pair.binding, pair.options)
                return np.array(pair.output.numpy(), np.float32)  # on the CPU, it is a view of the buffer


@dataclass(frozen=True)
class _Pair:
    """Buffers for batches of one shape."""

    binding: Any
    input: Any
    output: Any
    options: Any


def _bind(session: Any, batch: NDArray[Any], *, graph: int) -> _Pair:
    runtime = import_runtime()
    provider = session.get_providers()[0]
    settings = session.get_provider_options().get(provider, {})
    device = ("cuda" if provider in BOUND else "cpu", int(settings.get("device_id", 0)))
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    buffer = runtime.OrtValue.ortvalue_from_shape_and_type
    source = buffer(batch.shape, batch.dtype, *device)
    result = buffer([len(batch), *given.shape[1:]], np.float32, *device)
    binding = session.io_binding()
    binding.bind_ortvalue_input(taken.name, source)
    binding.bind_ortvalue_output(given.name, result)
    options = runtime.RunOptions()
    if settings.get("enable_cuda_graph") == "1":
        options.add_run_config_entry("gpu_graph_id", str(graph))
    return _Pair(binding, source, result, options)
