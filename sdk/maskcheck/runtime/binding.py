"""Faster runs on a GPU: batches of few different sizes, in buffers that stay on the device."""

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
"""Providers whose buffers are kept on the device, which is a CUDA device for all of them."""


def padded(batch: NDArray[Any], limit: int) -> NDArray[Any]:
    """Fill up a batch with zeros to the next power of two, but not beyond `limit`.

    Providers other than the CPU compile kernels or search algorithms for each new shape; padding keeps the shapes few.

    Args:
        batch: (N, ...), N from 1 to `limit`.
        limit: Most rows, 1 or more.

    Returns:
        (M, ...) with M >= N: the batch itself if it has such a size, else a copy.
    """
    count = len(batch)
    size = min(1 << (count - 1).bit_length(), limit)
    if size == count:
        return batch
    filled = np.zeros((size, *batch.shape[1:]), batch.dtype)
    filled[:count] = batch
    return filled


class BoundRunner:
    """Runs a session that has one input, and reuses the buffers of input and outputs for each shape of a batch.

    With the option ``enable_cuda_graph`` of the CUDA provider, each shape has its own graph, which the first run
    captures and later runs replay. Threads take turns, because captured graphs require it.

    Args:
        session: The session. Its outputs are float32, and all but their first dimension, the batch, is fixed.
    """

    def __init__(self, session: OnnxSession) -> None:
        self._session = session
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        """Forget the buffers, which belong to the session of another process; returns the forgotten ones."""
        forgotten = getattr(self, "_buffers", None)
        self._lock = threading.Lock()
        self._buffers_session: Any = None
        self._buffers: dict[tuple[int, ...], _Buffers] = {}
        return forgotten

    def run(self, batch: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run the model on a batch.

        Args:
            batch: (N, ...), as the input of the model.

        Returns:
            All outputs in the file's order, as :meth:`OnnxSession.run` gives them: copies, float32 (N, ...).

        Raises:
            RuntimeUnavailable: The run failed, for example because no memory is left or the device is gone.
            ModelTimeout: It took longer than the limit of the session.
        """
        session = self._session.session
        with self._lock:
            if self._buffers_session is not session:  # a new session, after a fork
                self._buffers_session, self._buffers = session, {}
            with self._session.guarded(None, len(batch)):
                buffers = self._buffers.get(batch.shape)
                if buffers is None:
                    buffers = self._buffers[batch.shape] = _bind(session, batch, graph=len(self._buffers) + 1)
                buffers.input.update_inplace(np.ascontiguousarray(batch))
            with self._session.guarded(buffers.options, len(batch)):
                session.run_with_iobinding(buffers.binding, buffers.options)
                # Copies: on the CPU, numpy() is a view of the buffer.
                return [np.array(output.numpy(), np.float32) for output in buffers.outputs]


@dataclass(frozen=True)
class _Buffers:
    """Input and outputs of batches of one shape, on the device."""

    binding: Any
    input: Any
    outputs: list[Any]
    options: Any


def _bind(session: Any, batch: NDArray[Any], *, graph: int) -> _Buffers:
    runtime = import_runtime()
    provider = session.get_providers()[0]
    settings = session.get_provider_options().get(provider, {})
    device = ("cuda" if provider in BOUND else "cpu", int(settings.get("device_id", 0)))
    (model_input,), model_outputs = session.get_inputs(), session.get_outputs()
    new_buffer = runtime.OrtValue.ortvalue_from_shape_and_type
    input_buffer = new_buffer(batch.shape, batch.dtype, *device)
    output_buffers = [new_buffer([len(batch), *output.shape[1:]], np.float32, *device) for output in model_outputs]
    binding = session.io_binding()
    binding.bind_ortvalue_input(model_input.name, input_buffer)
    for output, buffer in zip(model_outputs, output_buffers, strict=True):
        binding.bind_ortvalue_output(output.name, buffer)
    options = runtime.RunOptions()
    if settings.get("enable_cuda_graph") == "1":
        options.add_run_config_entry("gpu_graph_id", str(graph))
    return _Buffers(binding, input_buffer, output_buffers, options)
