"""A limit of memory for runs of ONNX Runtime on the CPU."""

from __future__ import annotations

import re
import threading
from typing import Any

from maskcheck.errors import RuntimeUnavailable
from maskcheck.runtime.forking import renew_after_fork

_FOLDED = 10  # a constant that is computed while a model loads may take a tenth of the limit


class _Pool:
    """The bounded pool of the process. The runtime accepts only one."""

    def __init__(self) -> None:
        self._size: int | None = None
        self._inherited = False
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        self._lock = threading.Lock()
        self._inherited = self._size is not None  # its lock may be held by a thread that does not exist here

    def reserve(self, runtime: Any, size: int) -> None:
        with self._lock:
            if self._inherited:
                raise RuntimeUnavailable("max_memory cannot be used after a fork; start the process by spawn")
            if self._size not in (None, size):
                raise RuntimeUnavailable(
                    f"max_memory: this process has a limit of {self._size} bytes for all models already, got {size};"
                    " use the same number everywhere"
                )
            if self._size is None:
                self._register(runtime, size)
                self._size = size

    def _register(self, runtime: Any, size: int) -> None:
        kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
        about = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
        others = ("initial_chunk_size_bytes", "max_dead_bytes_per_chunk", "initial_growth_chunk_size_bytes")
        # Blocks of the requested size (1): the default, powers of two, would waste up to half of the limit.
        arena = {"max_mem": size, "arena_extend_strategy": 1, **dict.fromkeys(others, -1)}
        try:
            runtime.create_and_register_allocator(about, runtime.OrtArenaCfg(arena))
        except Exception as error:  # the application may have its own pool; there is no public base class to catch
            raise RuntimeUnavailable(f"max_memory: ONNX Runtime does not accept a limit of memory: {error}") from error


_pool = _Pool()


def bounded_memory(runtime: Any, size: int) -> dict[str, str]:
    """Configuration entries of a session whose runs on the CPU take their memory from a pool of `size` bytes.

    All sessions of the process that have a limit share the pool.

    Raises:
        RuntimeUnavailable: The process has a pool of another size, or was forked from one that has a pool.
    """
    _pool.reserve(runtime, size)
    return {
        "session.use_env_allocators": "1",
        "optimization.constant_folding_max_output_size_in_bytes": str(size // _FOLDED),
    }


def folding_options(runtime: Any) -> dict[str, Any]:
    """Arguments of a session that keep constants of a model from taking memory outside the pool.

    ONNX Runtime computes such constants while it loads a model. Before version 1.27 it has no limit for them: these
    arguments move their computation into each run, which takes its memory from the pool.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", str(runtime.__version__))[:2])
    return {"disabled_optimizers": ["ConstantFolding"]} if version < (1, 27) else {}
