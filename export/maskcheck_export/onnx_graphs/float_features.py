"""Takes the rounding away from the features that the heads of a quantised network see."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

_ROUNDING = ("QuantizeLinear", "DequantizeLinear")


def keep_features_float(proto: onnx.ModelProto, operators: Sequence[str]) -> None:
    """Let the heads of a network see the features of its body as they are; changes the graph.

    Where a face is, shows in small differences of few features, which 256 steps between the least and the greatest of
    all round away. Weights stay in int8; the last convolutions, a hundredth of the work, then run in float.

    Args:
        proto: A graph in int8 (QDQ).
        operators: Kinds of nodes that belong to the body.
    """
    graph = proto.graph
    makers = {output: node for node in graph.node for output in node.output}

    def rounding(tensor: str) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
        """The node that rounds a tensor, and the one that makes it float again."""
        back = makers.get(tensor)
        to = makers.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
        return (to, back) if to is not None and back is not None and to.op_type == "QuantizeLinear" else None

    body = {*operators, *_ROUNDING}
    waiting = [tensor for node in graph.node if node.op_type not in body for tensor in node.input]
    exact: dict[str, str] = {}
    unused: list[onnx.NodeProto] = []
    while waiting:
        rounded = waiting.pop()
        pair = rounding(rounded)
        if pair is None or rounded in exact:
            continue
        source = pair[0].input[0]
        unused += pair
        maker = makers[source]
        if maker.op_type == "Conv":
            # Its rectifier had disappeared: the rounding, to numbers from 0 on, did the same.
            exact[rounded] = f"{source}_rectified"
            place = list(graph.node).index(maker) + 1
            graph.node.insert(place, onnx.helper.make_node("Relu", [source], [exact[rounded]]))
            for constant in maker.input[1:]:
                _spell_out(graph, makers[constant])
        else:
            exact[rounded] = source
            waiting += maker.input
    for node in graph.node:
        for index, tensor in enumerate(node.input):
            node.input[index] = exact.get(tensor, tensor)
    for node in unused:
        graph.node.remove(node)
    used = {tensor for node in graph.node for tensor in node.input}
    for constant in [constant for constant in graph.initializer if constant.name not in used]:
        graph.initializer.remove(constant)  # ONNX Runtime warns of each


def _spell_out(graph: onnx.GraphProto, back: onnx.NodeProto) -> None:
    """Make a constant float again by a cast and a product, which ONNX Runtime computes once, when it loads the file.

    It would compute a ``DequantizeLinear`` in every run, where no integer operation can take its place.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    whole = constants[back.input[0]]
    scale = onnx.numpy_helper.to_array(constants[back.input[1]])
    if len(back.input) > 2 and onnx.numpy_helper.to_array(constants[back.input[2]]).any():
        return  # weights have no other zero point than 0
    name = f"{back.output[0]}_scale"
    shape = (-1, *(1 for _ in whole.dims[1:])) if scale.size > 1 else (1,) * len(whole.dims)
    graph.initializer.append(onnx.numpy_helper.from_array(scale.reshape(shape), name))
    cast = onnx.helper.make_node("Cast", [back.input[0]], [f"{back.output[0]}_cast"], to=onnx.TensorProto.FLOAT)
    product = onnx.helper.make_node("Mul", [cast.output[0], name], [back.output[0]])
    place = list(graph.node).index(back)
    graph.node.remove(back)
    graph.node.insert(place, product)
    graph.node.insert(place, cast)
