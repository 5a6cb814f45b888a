"""A limit of memory for what ONNX Runtime computes."""

from __future__ import annotations

import re
import threading
from typing import Any

from maskcheck.errors import RuntimeUnavailable
from maskcheck.runtime.forking import renew_after_fork

_FOLDED = 10  # part of the limit that one constant may take that the runtime computes while it loads a model


class _Pool:
    """The one bounded pool of the process: the runtime takes no second."""

    def __init__(self) -> None:
        self._size: int | None = None
        self._inherited = False
        self.renew()
        renew_after_fork(self)

    def renew(self) -> Any:
        self._lock = threading.Lock()
        self._inherited = self._size is not None  # with a lock that another thread may have held

    def reserve(self, runtime: Any, size: int) -> None:
        with self._lock:
            if self._inherited:
                raise RuntimeUnavailable("max_memory does not survive a fork: start the process by spawn")
            if self._size not in (None, size):
                raise RuntimeUnavailable(
                    f"max_memory: {self._size} bytes are already set in this process, for all models; got {size}"
                )
            if self._size is None:
                self._register(runtime, size)
                self._size = size

    def _register(self, runtime: Any, size: int) -> None:
        kind = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
        about = runtime.OrtMemoryInfo("Cpu", kind, 0, runtime.OrtMemType.DEFAULT)
        others = ("initial_chunk_size_bytes", "max_dead_bytes_per_chunk", "initial_growth_chunk_size_bytes")
        # Blocks as large as what is asked for (1): the default, powers of two, would waste up to half of the limit.
        arena = {"max_mem": size, "arena_extend_strategy": 1, **dict.fromkeys(others, -1)}
        try:
            runtime.create_and_register_allocator(about, runtime.OrtArenaCfg(arena))
        except Exception as error:  # the application has registered one; the exceptions have no public base class
            raise RuntimeUnavailable(f"max_memory: ONNX Runtime takes no limit of memory here: {error}") from error


_pool = _Pool()


def bounded_memory(runtime: Any, size: int) -> dict[str, str]:
    """Entries of a session's configuration with which its runs on the CPU take memory from a pool of `size` bytes.

    The pool is shared by all sessions of the process that ask for one.

    Raises:
        RuntimeUnavailable: The process has a pool of another size, or was forked from one that has a pool.
    """
    _pool.reserve(runtime, size)
    return {
        "session.use_env_allocators": "1",
        "optimization.constant_folding_max_output_size_in_bytes": str(size // _FOLDED),
    }


def folding_options(runtime: Any) -> dict[str, Any]:
    """Arguments of a session that keep constants, computed while a model loads, from taking memory beside the pool.

    ONNX Runtime before 1.27 has no limit for them: there, they are computed in each run, within the pool.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", str(runtime.__version__))[:2])
    return {"disabled_optimizers": ["ConstantFolding"]} if version < (1, 27) else {}
