"""The machine's peaks: arithmetic by a large matrix product, memory by STREAM."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.timing import Timing, measure
from maskcheck_bench.scenarios.limits.graph_cost import GraphCost
from maskcheck_bench.scenarios.limits.products import make_product, product_operations
from maskcheck_bench.scenarios.limits.roofline import MachineLimits

GROUP = "limits"
SIDE = 2048
"""Rows and columns of the matrices: large enough that arithmetic outweighs all else."""

NUMBERS = 2**24
"""float64 numbers in each array of STREAM, 128 MiB: its rules ask for at least four times the last cache."""

STREAM_BYTES = 3 * 8 * NUMBERS
"""Bytes that the addition of two arrays moves. STREAM does not count that a cache line is read before it is written:
McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers", 1995."""

FLOAT32 = "matrix product, float32"
INT8 = ("matrix product, int8 to int32", "matrix product, int8 to int8")
BANDWIDTH = "sum of arrays in memory"


def measure_peaks(threads: int, effort: Effort) -> tuple[Timing, ...]:
    """Time what the limits follow from, with that many threads; an item is a matrix product or a sum of arrays.

    The products run in the runtime that runs the classifier, with weights that it can pack in advance. int8 is measured
    in the two forms that quantised models use; which of them is faster depends on the CPU.
    """
    products = {FLOAT32: _float32(), INT8[0]: _int8_to_int32(), INT8[1]: _int8_to_int8()}
    timings = [_time_product(name, *product, threads, effort) for name, product in products.items()]
    return (*timings, _time_memory(threads, effort))


def find_limits(timings: Sequence[Timing], cost: GraphCost, *, precision: str, threads: int) -> MachineLimits:
    """The limits that follow from the best round of each timing of :func:`measure_peaks`."""
    best = {timing.name: min(map(min, timing.processes)) * 1e6 for timing in timings}  # nanoseconds
    operations = product_operations(SIDE)
    return MachineLimits(
        multiply_adds=cost.multiply_adds,
        weights_bytes=cost.weights_bytes,
        activations_bytes=cost.activations_bytes,
        precision=precision,
        threads=threads,
        peak_float32_gflops=round(operations / best[FLOAT32], 1),
        peak_int8_gops=round(operations / min(best[name] for name in INT8), 1),
        bandwidth_gb_s=round(STREAM_BYTES / best[BANDWIDTH], 2),
    )


def _time_product(name: str, model: ModelProto, factor: NDArray[np.generic], threads: int, effort: Effort) -> Timing:
    runtime = import_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=[CPU])
    return measure(name, lambda: session.run(None, {"a": factor}), effort, items=1, group=GROUP)


def _time_memory(threads: int, effort: Effort) -> Timing:
    first, second, total = (np.full(NUMBERS, value, np.float64) for value in (1, 2, 0))
    parts = [slice(NUMBERS * part // threads, NUMBERS * (part + 1) // threads) for part in range(threads)]

    def add(part: slice) -> None:
        np.add(first[part], second[part], out=total[part])

    with ThreadPoolExecutor(threads) as pool:
        return measure(BANDWIDTH, lambda: list(pool.map(add, parts)), effort, items=1, group=GROUP)


def _float32() -> tuple[ModelProto, NDArray[np.generic]]:
    weights = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    return make_product("MatMul", ["a", "b"], SIDE, TensorProto.FLOAT, TensorProto.FLOAT, {"b": weights}), weights


def _int8_to_int32() -> tuple[ModelProto, NDArray[np.generic]]:
    factor, weights = _int8_factors()
    model = make_product("MatMulInteger", ["a", "b"], SIDE, TensorProto.UINT8, TensorProto.INT32, {"b": weights})
    return model, factor


def _int8_to_int8() -> tuple[ModelProto, NDArray[np.generic]]:
    """With a scale for each column of the weights, as the quantiser of ``maskcheck-export`` writes it."""
    factor, weights = _int8_factors()
    constants: dict[str, NDArray[np.generic]] = {
        "b": weights,
        "scale": np.array(0.01, np.float32),
        "zero": np.array(0, np.uint8),
        "scales": np.full(SIDE, 0.01, np.float32),
        "zeros": np.zeros(SIDE, np.int8),
    }
    inputs = ["a", "scale", "zero", "b", "scales", "zeros", "scale", "zero"]
    return make_product("QLinearMatMul", inputs, SIDE, TensorProto.UINT8, TensorProto.UINT8, constants), factor


def _int8_factors() -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 128, (SIDE, SIDE), dtype=np.uint8),
        rng.integers(-63, 64, (SIDE, SIDE), dtype=np.int8),
    )
