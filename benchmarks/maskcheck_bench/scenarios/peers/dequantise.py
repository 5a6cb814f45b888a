"""From an int8 ONNX graph (QDQ) back to float32, for libraries that cannot run int8 and for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
# The output of these has the range of their input, so that no Relu was merged into the rounding after them.
_RANGE_KEEPING = frozenset({"Relu", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Transpose"})


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether parts of the graph are quantised."""
    return any(node.op_type == _QUANTIZE for node in model.graph.node)


def dequantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in float32: weights have the values of their integers, activations are no longer rounded.

    ONNX Runtime's option ``session.disable_quant_qdq`` is not enough: it still rounds every activation and limits it to
    its range. The quantiser relies on that limit and leaves out a Relu where the range starts at zero; this function
    puts it back.

    Args:
        model: A graph with or without pairs of QuantizeLinear and DequantizeLinear; it is not changed.

    Raises:
        ValueError: The graph dequantises a tensor that is neither a constant nor quantised in the graph.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {output: node.op_type for node in model.graph.node for output in node.output}
    names: dict[str, str] = {}  # from the output of a removed node to the tensor that replaces it
    weights, nodes = [], []
    for node in model.graph.node:
        if node.op_type == _QUANTIZE:
            name = names.get(node.input[0], node.input[0])
            if makers.get(node.input[0], "Relu") not in _RANGE_KEEPING and _starts_at_zero(node, constants):
                nodes.append(onnx.helper.make_node("Relu", [name], [f"{name}/relu"], f"{node.name}/relu"))
                name = f"{name}/relu"
            names[node.output[0]] = name
        elif node.op_type == _DEQUANTIZE and node.input[0] in constants:
            weights.append(numpy_helper.from_array(_dequantised(node, constants), node.output[0]))
        elif node.op_type == _DEQUANTIZE:
            if node.input[0] not in names:
                raise ValueError(f"{node.name}: expected a constant or QuantizeLinear's output, got {node.input[0]}")
            names[node.output[0]] = names[node.input[0]]
        elif node.op_type in ("Cast", "Mul") and all(name in constants for name in node.input):
            # How `maskcheck-export` writes weights of int8 that are used in float32.
            (value,) = ReferenceEvaluator(node).run(None, {name: constants[name] for name in node.input})
            constants[node.output[0]] = value
            weights.append(numpy_helper.from_array(value, node.output[0]))
        else:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            nodes[-1].input[:] = [names.get(name, name) for name in node.input]
    outputs = [output.name for output in model.graph.output if output.name in names]
    nodes += [onnx.helper.make_node("Identity", [names[name]], [name]) for name in outputs]
    return _with_graph(model, nodes, weights)


def _starts_at_zero(quantize: onnx.NodeProto, constants: Mapping[str, NDArray[Any]]) -> bool:
    if len(quantize.input) < 3 or not quantize.input[2]:
        return True  # uint8 from 0, the default
    zero = constants[quantize.input[2]]
    return bool(np.all(zero == np.iinfo(zero.dtype).min))


def _dequantised(node: onnx.NodeProto, constants: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    integers, scale, *zeros = (constants[name].astype(np.float32) for name in node.input if name)
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    shape = [1] * integers.ndim
    if scale.ndim:  # a scale for each channel
        shape[axis] = -1
    zero = zeros[0].reshape(shape) if zeros else np.float32(0)
    return np.asarray((integers - zero) * scale.reshape(shape), np.float32)


def _with_graph(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]
) -> onnx.ModelProto:
    """A copy of the model with these nodes and additional constants, without constants that are not used."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in [*graph.initializer, *weights] if tensor.name in used]
    for field, content in ((graph.node, nodes), (graph.initializer, kept)):
        del field[:]
        field.extend(content)
    del graph.value_info[:]
    return changed
