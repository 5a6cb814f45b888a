"""What the machine could do at best, and how near a time comes to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from maskcheck import MaskClassifier, MaskPipeline
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.timing import Timing
from maskcheck_bench.scenarios.limits.graph_cost import GraphCost, graph_cost
from maskcheck_bench.scenarios.limits.peaks import BANDWIDTH, FLOAT32, INT8, SIDE, STREAM_BYTES, find_limits
from maskcheck_bench.scenarios.limits.products import product_operations
from maskcheck_bench.scenarios.limits.roofline import MachineLimits
from maskcheck_bench.scenarios.limits.roofline_plot import plot_roofline
from maskcheck_bench.scenarios.limits.scenario import measure_limits

FLOAT, UINT8, INT8_, INT32 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32
LIMITS_OF_TESTS = MachineLimits(
    multiply_adds=1_000_000,
    weights_bytes=100_000,
    activations_bytes=100_000,
    precision="int8",
    threads=2,
    peak_float32_gflops=50,
    peak_int8_gops=200,
    bandwidth_gb_s=10,
)


def make_model(
    nodes: Sequence[onnx.NodeProto], given: tuple[int, Sequence[int | str]], weights: dict[str, tuple[int, list[int]]]
) -> onnx.ModelProto:
    """A graph from ``x`` to ``y`` with weights that are all zero."""
    kind, shape = given
    result = INT32 if nodes[-1].op_type.endswith("Integer") else kind
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", result, None)],
        [
            helper.make_tensor(name, kind, dims, np.zeros(dims, helper.tensor_dtype_to_np_dtype(kind)).ravel())
            for name, (kind, dims) in weights.items()
        ],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)], ir_version=8
    )


def timing(name: str, items: int, *milliseconds: float) -> Timing:
    return Timing(name, items, 0, (milliseconds,))


ONE: dict[str, tuple[int, list[int]]] = {"s": (FLOAT, []), "z": (UINT8, []), "zw": (INT8_, [])}


@pytest.mark.parametrize(
    ("node", "kind", "shape", "weights", "multiply_adds"),
    [
        # 4 outputs x 6 x 6 places x (3 inputs x 3 x 3)
        (helper.make_node("Conv", ["x", "w"], ["y"]), FLOAT, ["N", 3, 8, 8], (FLOAT, [4, 3, 3, 3]), 3888),
        # in two groups, each output sees 2 of 4 inputs; padded, every second place: 4 x 4 x 4 x (2 x 3 x 3)
        (
            helper.make_node("Conv", ["x", "w"], ["y"], group=2, pads=[1, 1, 1, 1], strides=[2, 2]),
            FLOAT,
            ["N", 4, 8, 8],
            (FLOAT, [4, 2, 3, 3]),
            1152,
        ),
        # depthwise: 6 x 8 x 8 x (1 x 1 x 1)
        (helper.make_node("Conv", ["x", "w"], ["y"], group=6), FLOAT, ["N", 6, 8, 8], (FLOAT, [6, 1, 1, 1]), 384),
        (helper.make_node("ConvInteger", ["x", "w"], ["y"]), UINT8, ["N", 3, 8, 8], (INT8_, [4, 3, 3, 3]), 3888),
        (
            helper.make_node("QLinearConv", ["x", "s", "z", "w", "s", "zw", "s", "z"], ["y"]),
            UINT8,
            ["N", 3, 8, 8],
            (INT8_, [4, 3, 3, 3]),
            3888,
        ),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), FLOAT, ["N", 5, 7], (FLOAT, [7, 2]), 70),
        (helper.make_node("MatMulInteger", ["x", "w"], ["y"]), UINT8, ["N", 7], (INT8_, [7, 2]), 14),
        (
            helper.make_node("QLinearMatMul", ["x", "s", "z", "w", "s", "zw", "s", "z"], ["y"]),
            UINT8,
            ["N", 7],
            (INT8_, [7, 2]),
            14,
        ),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), FLOAT, ["N", 7], (FLOAT, [2, 7]), 14),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1), FLOAT, [7, "N"], (FLOAT, [7, 2]), 14),
        (helper.make_node("Add", ["x", "w"], ["y"]), FLOAT, ["N", 7], (FLOAT, [7]), 0),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
)
def test_multiply_adds_of_one_sample(
    node: onnx.NodeProto,
    kind: int,
    shape: list[int | str],
    weights: tuple[int, list[int]],
    multiply_adds: int,
) -> None:
    needed = {name: value for name, value in ONE.items() if name in node.input}

    assert graph_cost(make_model([node], (kind, shape), {"w": weights, **needed})).multiply_adds == multiply_adds


def test_a_graph_that_shows_int8_as_float_moves_bytes() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "s", "zw"], ["wf"]),
        helper.make_node("MatMul", ["xf", "wf"], ["yf"]),
        helper.make_node("QuantizeLinear", ["yf", "s", "z"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "s", "z"], ["y"]),
    ]

    cost = graph_cost(make_model(nodes, (FLOAT, ["N", 7]), {"w": (INT8_, [7, 2]), **ONE}))

    assert cost == GraphCost(multiply_adds=14, weights_bytes=14 + 4 + 1 + 1, activations_bytes=7 + 2)


def test_a_float_graph_moves_four_bytes_a_number() -> None:
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], (FLOAT, ["N", 7]), {"w": (FLOAT, [7, 2])})

    assert graph_cost(model) == GraphCost(multiply_adds=14, weights_bytes=4 * 14, activations_bytes=4 * (7 + 2))


def test_a_graph_whose_shapes_cannot_be_told_is_refused() -> None:
    unknown = helper.make_node("Unknown", ["x"], ["h"], domain="elsewhere")
    model = make_model(
        [unknown, helper.make_node("MatMul", ["h", "w"], ["y"])], (FLOAT, ["N", 7]), {"w": (FLOAT, [7, 2])}
    )

    with pytest.raises(ValueError, match=r"MatMul .*: the shape of h does not follow"):
        graph_cost(model)


def test_limits_follow_from_the_best_round_and_the_faster_form_of_int8() -> None:
    timings = [
        timing(FLOAT32, 1, 200.0, 100.0, 300.0),
        timing(INT8[0], 1, 40.0, 50.0),
        timing(INT8[1], 1, 20.0, 80.0),
        timing(BANDWIDTH, 1, 30.0, 20.0),
    ]

    limits = find_limits(timings, GraphCost(5, 6, 7), precision="int8", threads=3)

    assert limits.peak_float32_gflops == pytest.approx(product_operations(SIDE) / 0.1 / 1e9, rel=1e-3)
    assert limits.peak_int8_gops == pytest.approx(product_operations(SIDE) / 0.02 / 1e9, rel=1e-3)
    assert limits.bandwidth_gb_s == pytest.approx(STREAM_BYTES / 0.02 / 1e9, rel=1e-3)
    assert (limits.multiply_adds, limits.weights_bytes, limits.activations_bytes, limits.threads) == (5, 6, 7, 3)
    assert MachineLimits.from_facts(limits.to_facts()) == limits


def test_the_roof_is_the_memory_until_the_arithmetic_is() -> None:
    limits = LIMITS_OF_TESTS

    assert limits.roof(2) == 20  # operations a byte x 10 GB/s
    assert limits.roof(20) == 200
    assert limits.roof(1000) == 200


def test_weights_are_read_once_for_all_faces_of_a_run() -> None:
    assert LIMITS_OF_TESTS.intensity(1) == 2e6 / 200_000
    assert LIMITS_OF_TESTS.intensity(9) == 9 * 2e6 / 1_000_000


def test_the_share_is_of_the_roof_over_the_run() -> None:
    single = timing("batch 1", 1, 0.04)  # 2e6 operations in 0.04 ms: 50e9 a second; memory allows 100e9
    many = timing("batch 9", 9, 0.1, 0.18, 0.9)  # 100e9 in the median; memory allows 180e9

    assert LIMITS_OF_TESTS.attained(single) == pytest.approx(50)
    assert LIMITS_OF_TESTS.share(single) == pytest.approx(0.5)
    assert LIMITS_OF_TESTS.share(many) == pytest.approx(100 / 180)


def test_a_float_model_is_held_against_the_float_peak() -> None:
    limits = MachineLimits.from_facts(LIMITS_OF_TESTS.to_facts() | {"precision": "float32"})

    assert limits.share(timing("batch 1", 1, 0.08)) == pytest.approx(0.5)


@pytest.mark.parametrize("faces", [(1, 8, 32), ()])
def test_the_roofline_is_drawn(faces: tuple[int, ...], tmp_path: Path) -> None:
    plot_roofline(
        LIMITS_OF_TESTS, [timing(f"batch {count}", count, 0.1 * count) for count in faces], tmp_path / "roof.png"
    )

    drawn = cv2.imread(str(tmp_path / "roof.png"))
    assert drawn is not None
    assert drawn.std() > 0


def test_the_scenario_measures_peaks_and_counts_the_model(toy_model: Path) -> None:
    pipeline = MaskPipeline(model=toy_model, threads=1)

    outcome = measure_limits(pipeline, (), Effort(rounds=1, warmup=0))

    limits = MachineLimits.from_facts(outcome.facts)
    assert limits.multiply_adds == 2  # of the toy's product of brightness and two weights
    assert limits.threads == 1
    assert min(limits.peak_float32_gflops, limits.peak_int8_gops, limits.bandwidth_gb_s) > 0
    assert {measured.group for measured in outcome.timings} == {"limits"}


def test_limits_are_skipped_where_they_cannot_be_measured(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = MaskPipeline(model=toy_model)

    with monkeypatch.context() as without:
        without.setitem(sys.modules, "onnx", None)
        missing = measure_limits(pipeline, (), Effort())
    providers: Any = property(lambda _: ("CUDAExecutionProvider", "CPUExecutionProvider"))
    monkeypatch.setattr(MaskClassifier, "providers", providers)
    elsewhere = measure_limits(pipeline, (), Effort())

    assert "pip install" in missing.skipped
    assert "CUDAExecutionProvider" in elsewhere.skipped
