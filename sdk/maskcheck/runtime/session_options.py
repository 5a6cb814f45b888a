"""Options of an ONNX Runtime session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskcheck.runtime.memory_limits import bounded_memory
from maskcheck.runtime.providers import DIRECTML

_FATAL = 4  # every error comes as an exception; a log would print names of the file to the terminal

_SHORT_SPINNING = {"session.force_spinning_stop": "1", "session.intra_op.spin_duration_us": "50"}
"""Threads of a session spin while they wait for work. That pays between the operations of a run only, but by default
they go on after it, and take the CPUs from the detector, the next session and the caller. A runtime that is too old
for one of these settings ignores it."""


def session_options(
    runtime: Any,
    *,
    provider: str,
    threads: int,
    int8_as_float32: bool,
    max_memory: int | None,
    path: Path,
    from_bytes: bool,
) -> Any:
    """The ``SessionOptions`` for a model.

    Args:
        runtime: The module ``onnxruntime``.
        provider: Name of the first provider.
        threads: Threads of one operator.
        int8_as_float32: Whether int8 operations are computed in float32.
        max_memory: Bytes that runs on the CPU may take; None for no limit.
        path: The model file.
        from_bytes: Whether the session is made from bytes, not from the path.

    Raises:
        RuntimeUnavailable: The process has another limit of memory already.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    if provider == DIRECTML:
        options.enable_mem_pattern = False  # DirectML requires it
    entries = {**_SHORT_SPINNING}
    if int8_as_float32:
        entries["session.disable_quant_qdq"] = "1"
    if max_memory is not None:
        entries |= bounded_memory(runtime, max_memory)
    if from_bytes:
        entries["session.load_model_format"] = "ONNX"  # not the runtime's own format, which is not checked here
        # A folder that cannot exist, since it is below a file: weights in other files are never found there.
        entries["session.model_external_initializers_file_folder_path"] = str(path / "none")
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return options
