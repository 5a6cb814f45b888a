"""What this machine can do at best: arithmetic by a large matrix product, memory by STREAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU
from maskcheck_bench.measuring.outcome import Effort
from maskcheck_bench.measuring.timing import Timing, measure
from maskcheck_bench.scenarios.limits.graph import GraphCost
from maskcheck_bench.scenarios.limits.roofline import Limits

GROUP = "limits"
SIDE = 2048
"""Rows and columns of the matrices: large enough that their arithmetic outweighs all else."""

NUMBERS = 2**24
"""float64 numbers in each array of STREAM, 128 MiB: its rules ask for four times the last cache, or more."""

STREAM_BYTES = 3 * 8 * NUMBERS
"""What one addition of arrays moves by STREAM's own count, which leaves out that a cache line is read before it is
written: McCalpin, "Memory Bandwidth and Machine Balance in Current High Performance Computers", 1995."""

GEMM_OPERATIONS = 2 * SIDE**3
"""A multiplication and an addition for each row, column and term of the sum."""

FLOAT32 = "matrix product, float32"
INT8 = ("matrix product, int8 to int32", "matrix product, int8 to int8")
BANDWIDTH = "sum of arrays in memory"


def measure_peaks(threads: int, effort: Effort) -> tuple[Timing, ...]:
    """Time what the limits follow from, with that many threads: an item is a matrix product, or a sum of arrays.

    The products run in the runtime that runs the classifier, by weights that it may pack before; int8 in the two forms
    that quantised models take, since it depends on the CPU which of them is the faster.
    """
    products = {FLOAT32: _float32(), INT8[0]: _int8_to_int32(), INT8[1]: _int8_to_int8()}
    timings = [_time_product(name, *product, threads, effort) for name, product in products.items()]
    return (*timings, _time_memory(threads, effort))


def find_limits(timings: Sequence[Timing], cost: GraphCost, *, precision: str, threads: int) -> Limits:
    """What follows from the times of :func:`measure_peaks`, by the best round of each."""
    best = {one.name: min(map(min, one.processes)) * 1e6 for one in timings}  # nanoseconds
    return Limits(
        multiply_adds=cost.multiply_adds,
        weights_bytes=cost.weights_bytes,
        activations_bytes=cost.activations_bytes,
        precision=precision,
        threads=threads,
        peak_float32_gflops=round(GEMM_OPERATIONS / best[FLOAT32], 1),
        peak_int8_gops=round(GEMM_OPERATIONS / min(best[name] for name in INT8), 1),
        bandwidth_gb_s=round(STREAM_BYTES / best[BANDWIDTH], 2),
    )


def _time_product(name: str, model: ModelProto, factor: NDArray[np.generic], threads: int, effort: Effort) -> Timing:
    runtime = import_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=[CPU])
    return measure(
        name,
        lambda: session.run(None, {"a": factor}),
        items=1,
        **effort.of_a_timing,
        group=GROUP,
    )


def _time_memory(threads: int, effort: Effort) -> Timing:
    first, second, total = (np.full(NUMBERS, value, np.float64) for value in (1, 2, 0))
    parts = [slice(NUMBERS * part // threads, NUMBERS * (part + 1) // threads) for part in range(threads)]

    def add(part: slice) -> None:
        np.add(first[part], second[part], out=total[part])

    with ThreadPoolExecutor(threads) as pool:
        return measure(
            BANDWIDTH,
            lambda: list(pool.map(add, parts)),
            items=1,
            **effort.of_a_timing,
            group=GROUP,
        )


def _float32() -> tuple[ModelProto, NDArray[np.generic]]:
    weights = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    return _product("MatMul", ["a", "b"], TensorProto.FLOAT, TensorProto.FLOAT, {"b": weights}), weights


def _int8_to_int32() -> tuple[ModelProto, NDArray[np.generic]]:
    factor, weights = _int8_factors()
    return _product("MatMulInteger", ["a", "b"], TensorProto.UINT8, TensorProto.INT32, {"b": weights}), factor


def _int8_to_int8() -> tuple[ModelProto, NDArray[np.generic]]:
    """With a scale for each column of the weights, as the quantiser of ``maskcheck-export`` writes."""
    factor, weights = _int8_factors()
    constants: dict[str, NDArray[np.generic]] = {
        "b": weights,
        "scale": np.array(0.01, np.float32),
        "zero": np.array(0, np.uint8),
        "scales": np.full(SIDE, 0.01, np.float32),
        "zeros": np.zeros(SIDE, np.int8),
    }
    inputs = ["a", "scale", "zero", "b", "scales", "zeros", "scale", "zero"]
    return _product("QLinearMatMul", inputs, TensorProto.UINT8, TensorProto.UINT8, constants), factor


def _int8_factors() -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 128, (SIDE, SIDE), dtype=np.uint8),
        rng.integers(-63, 64, (SIDE, SIDE), dtype=np.int8),
    )


def _product(
    operator: str, inputs: list[str], given: int, result: int, constants: Mapping[str, NDArray[np.generic]]
) -> ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["c"])],
        "product",
        [helper.make_tensor_value_info("a", given, [SIDE, SIDE])],
        [helper.make_tensor_value_info("c", result, [SIDE, SIDE])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
