"""The cost of a model's graph: multiply-adds, and the bytes that they need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
from onnx import helper, shape_inference

# Operators that multiply and add, and the positions of the inputs that they multiply. In a QDQ graph, Conv, MatMul and
# Gemm stand between DequantizeLinear and QuantizeLinear; the others are quantised themselves.
_OPERANDS = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "Gemm": (0, 1),
}


@dataclass(frozen=True)
class GraphCost:
    """The cost of one run of a model.

    Attributes:
        multiply_adds: For one sample.
        weights_bytes: Size of all weights, as the file stores them.
        activations_bytes: For one sample: bytes that the layers that multiply read and write, each time they do, in the
            precision of the values in memory.
    """

    multiply_adds: int
    weights_bytes: int
    activations_bytes: int


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    item_bytes: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.item_bytes


def graph_cost(model: onnx.ModelProto) -> GraphCost:
    """Count the cost of one run of a model, with a size of 1 for dimensions that the graph leaves open.

    Only convolutions and matrix products count, quantised or not; the bodies of loops and branches do not.

    Raises:
        ValueError: The shape of a layer does not follow from the graph.
    """
    weights = {
        value.name: _Tensor(tuple(value.dims), _item_bytes(value.data_type)) for value in model.graph.initializer
    }
    tensors = _infer(model) | weights
    kept = _kept_as(model)
    multiply_adds = activations = 0
    for node in model.graph.node:
        if node.op_type not in _OPERANDS:
            continue
        names = [*(node.input[position] for position in _OPERANDS[node.op_type]), node.output[0]]
        moved = [kept.get(name, name) for name in names]
        unknown = [name for name in (*names, *moved) if name not in tensors]
        if unknown:
            raise ValueError(f"{node.op_type} {node.name}: the shape of {unknown[0]} does not follow from the graph")
        left, right, out = (tensors[name].shape for name in names)
        multiply_adds += _multiply_adds(node, left, right, out)
        activations += sum(tensors[name].size for name in moved if name not in weights)
    return GraphCost(multiply_adds, sum(weight.size for weight in weights.values()), activations)


def _multiply_adds(node: onnx.NodeProto, left: tuple[int, ...], right: tuple[int, ...], out: tuple[int, ...]) -> int:
    if "Conv" in node.op_type:  # weights: (outputs, inputs / groups, kernel...)
        return math.prod(out) * math.prod(right[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(out) * (left[0] if transposed else left[-1])


def _infer(model: onnx.ModelProto) -> dict[str, _Tensor]:
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in single.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 1
    graph = shape_inference.infer_shapes(single, data_prop=True).graph
    return dict(_known([*graph.input, *graph.value_info, *graph.output]))


def _known(values: list[onnx.ValueInfoProto]) -> Iterator[tuple[str, _Tensor]]:
    for value in values:
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(dimension.HasField("dim_value") for dimension in kind.shape.dim):
            shape = tuple(dimension.dim_value for dimension in kind.shape.dim)
            yield value.name, _Tensor(shape, _item_bytes(kind.elem_type))


def _kept_as(model: onnx.ModelProto) -> Mapping[str, str]:
    """For each tensor that a QDQ graph shows as float, the quantised tensor that is in memory."""
    kept = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            kept[node.output[0]] = node.input[0]
        elif node.op_type == "QuantizeLinear":
            kept[node.input[0]] = node.output[0]
    return kept


def _item_bytes(kind: int) -> int:
    return int(helper.tensor_dtype_to_np_dtype(kind).itemsize)
