"""The features that the heads of a quantised network see are not rounded."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from maskcheck_export.onnx_graphs.float_features import keep_features_float
from maskcheck_export.onnx_graphs.quantization import preprocess, quantize_graph

pytestmark = pytest.mark.filterwarnings("default")

OPERATORS = ["Conv", "Relu", "Concat"]


def network() -> onnx.ModelProto:
    """Two rectified convolutions side by side, joined, and a mean of each map."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), f"w{i}") for i in range(2)]
    nodes = [helper.make_node("Conv", ["x", f"w{i}"], [f"c{i}"], name=f"conv{i}") for i in range(2)]
    nodes += [helper.make_node("Relu", [f"c{i}"], [f"r{i}"], name=f"relu{i}") for i in range(2)]
    nodes += [
        helper.make_node("Concat", ["r0", "r1"], ["joined"], name="concat", axis=1),
        helper.make_node("GlobalAveragePool", ["joined"], ["y"], name="mean"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 8, 1, 1])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(proto: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": pictures})[0])


def test_the_heads_see_rectified_features_that_are_not_rounded() -> None:
    rng = np.random.default_rng(1)
    pictures = rng.normal(size=(8, 3, 8, 8)).astype(np.float32)
    floating = network()
    quantised = quantize_graph(
        preprocess(floating), iter([{"x": pictures}]), calibration="minmax", reduce_range=False, operators=OPERATORS
    )
    exact = run(floating, pictures)
    rounded = run(quantised, pictures)

    keep_features_float(quantised, OPERATORS)

    onnx.checker.check_model(quantised, full_check=True)
    kinds = [node.op_type for node in quantised.graph.node]
    (mean,) = (node for node in quantised.graph.node if node.op_type == "GlobalAveragePool")
    (joined,) = (node for node in quantised.graph.node if node.output[0] == mean.input[0])
    assert joined.op_type == "Concat"
    assert kinds.count("Relu") == 2
    assert kinds.count("DequantizeLinear") == 1  # of the pictures; weights are cast and multiplied, once for all runs
    used = {tensor for node in quantised.graph.node for tensor in node.input}
    assert {constant.name for constant in quantised.graph.initializer} <= used
    kept = run(quantised, pictures)
    assert np.abs(kept - exact).max() < np.abs(rounded - exact).max()
