"""Mutated classifier files: changes to their bytes, their metadata and their graph."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import onnx
from byte_mutations import mutate_bytes, odd_integer
from onnx import TensorProto, helper

SIZE = 16
LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


def mutated_model(seed: int, index: int) -> tuple[str, bytes]:
    """Model file number `index`, and the kind of change. It depends only on `seed` and `index`."""
    random = Random(f"models {seed} {index}")
    kind = random.random()
    if kind < 0.25:
        data = toy_model().SerializeToString()
        for _ in range(random.choice((1, 1, 2, 4))):
            data = mutate_bytes(random, data)
        return "bytes", data
    if kind < 0.5:
        return _metadata(random)
    name = random.choice(sorted(_GRAPHS))
    model = toy_model()
    _GRAPHS[name](random, model.graph)
    try:
        return f"graph: {name}", model.SerializeToString()
    except ValueError:  # larger than protobuf can write
        return "bytes", b""


@cache
def _toy_bytes() -> bytes:
    values = np.random.default_rng(0).normal(0, 0.01, (SIZE * SIZE * 3, len(LABELS))).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["faces"], ["float"], "cast", to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["float", "shape"], ["flat"], "reshape"),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"], "matmul"),
            helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
        ],
        "toy",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(LABELS)])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, values.shape, values.ravel()),
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, SIZE * SIZE * 3]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(
        model,
        {
            "maskcheck.schema": "1",
            "maskcheck.labels": json.dumps(LABELS),
            "maskcheck.input_size": str(SIZE),
            "maskcheck.crop_margin": "0.2",
            "maskcheck.license": "MIT",
            "maskcheck.trained_on": "nothing",
            "maskcheck.metrics": "{}",
            "maskcheck.created_by": "the fuzzer",
            "maskcheck.precision": "float32",
        },
    )
    return bytes(model.SerializeToString())


def toy_model() -> Any:
    """A valid classifier with three labels, as an ``onnx.ModelProto``."""
    return onnx.load_from_string(_toy_bytes())


# Metadata: any text for any key, and bytes that are not UTF-8.

_ODD_TEXTS = (
    "",
    "-1",
    "0",
    "1e9",
    "1e999",
    "nan",
    "-inf",
    "null",
    "true",
    "[]",
    "{}",
    "[1, 2, 3]",
    '[""]',
    '["a", "a", "b"]',
    '["a"]',
    '["a", "b", "c", "d"]',
    '["\\u001b[31mred", "\\ud800", "c\\u0007"]',
    '["\u202eabc", "[b]", ":boom:"]',
    '{"a": NaN, "b": Infinity}',
    '{"a": 1, "a": 2}',
    "9" * 5000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '"' + "x" * 1_000_000 + '"',
    "16.0",
    " 16 ",
    "\u0661\u0666",
    "1_6",
    "100000",
    str(2**63),
    "\x1b]0;title\x07",
    "\u00e9" * 100,
)


def _metadata(random: Random) -> tuple[str, bytes]:
    model = toy_model()
    entries = model.metadata_props
    for _ in range(random.choice((1, 1, 2, 3))):
        entry = random.choice(entries)
        match random.randrange(7):
            case 0 | 1 | 2:
                entry.value = random.choice(_ODD_TEXTS)
            case 3:
                entry.key = random.choice(("", "maskcheck.", "maskcheck.labels", "maskcheck.x", entry.key.upper()))
            case 4:
                entries.add(key=entry.key, value=random.choice(_ODD_TEXTS))
            case 5:
                if len(entries) > 1:
                    entries.remove(entry)
            case _:
                return "metadata: no UTF-8", _with_invalid_utf8(random, model)
    return "metadata", model.SerializeToString()


def _with_invalid_utf8(random: Random, model: Any) -> bytes:
    """The model with a metadata entry that is not UTF-8."""
    entry = random.choice(model.metadata_props)
    written = (entry.value if random.random() < 0.7 else entry.key).encode()
    data = bytes(model.SerializeToString())
    if len(written) < 2:
        return mutate_bytes(random, data)
    bad = random.choice((b"\xff\xfe", b"\xed\xa0", b"\xc3\x28", b"\0\x80"))
    return data.replace(written, bad + written[2:], 1)


# Graphs: each function changes the graph of the toy model in place.


def _tail(graph: Any, *nodes: Any) -> None:
    """Append `nodes` after the softmax: they read its output as ``p``, and the last writes the probabilities."""
    graph.node[-1].output[0] = "p"
    graph.node.extend(nodes)


def _constant(graph: Any, name: str, values: Any, kind: int = TensorProto.INT64) -> str:
    array = np.asarray(values, helper.tensor_dtype_to_np_dtype(kind))
    graph.initializer.append(helper.make_tensor(name, kind, array.shape, array.ravel()))
    return name


def _weights(random: Random, graph: Any) -> None:
    values = onnx.numpy_helper.to_array(graph.initializer[0]).copy()
    odd = random.choice((math.nan, math.inf, -math.inf, 3e38, 1e-45, 0.0))
    if random.random() < 0.5:
        values[:] = odd
    else:
        values[random.randrange(len(values))] = odd
    graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "weights"))


def _no_probabilities(random: Random, graph: Any) -> None:
    kind = random.choice(("Identity", "Neg", "Log", "Sqrt", "Sigmoid", "Relu", "Exp", "Floor", "Reciprocal", "Tanh"))
    graph.node[-1].output[0] = "p"
    graph.node.append(helper.make_node(kind, [random.choice(("p", "logits"))], ["probabilities"]))


def _random_numbers(random: Random, graph: Any) -> None:
    kind = random.choice(("RandomUniformLike", "RandomNormalLike"))
    _tail(graph, helper.make_node(kind, ["p"], ["probabilities"]))


def _other_shape(random: Random, graph: Any) -> None:
    match random.randrange(5):
        case 0:  # only the first row, or none
            ends = _constant(graph, "ends", [random.choice((0, 1, -1))])
            _tail(graph, helper.make_node("Slice", ["p", _constant(graph, "starts", [0]), ends], ["probabilities"]))
        case 1:
            _tail(graph, helper.make_node("Concat", ["p"] * random.choice((2, 5, 100)), ["probabilities"], axis=0))
        case 2:
            _tail(graph, helper.make_node("ReduceMean", ["p"], ["probabilities"], axes=[0], keepdims=1))
        case 3:
            shape = _constant(graph, "new", random.choice(([-1], [1, -1], [-1, 1], [3, -1], [-1, 3, 1], [0, -1])))
            _tail(graph, helper.make_node("Reshape", ["p", shape], ["probabilities"]))
        case _:
            _tail(graph, helper.make_node("Transpose", ["p"], ["probabilities"], perm=[1, 0]))


def _other_signature(random: Random, graph: Any) -> None:
    value = random.choice((graph.input[0], graph.output[0]))
    tensor = value.type.tensor_type
    match random.randrange(5):
        case 0:
            tensor.elem_type = random.choice((0, 1, 2, 3, 7, 8, 9, 10, 11, 16, 99))
        case 1:
            tensor.shape.dim[random.randrange(len(tensor.shape.dim))].dim_value = random.choice((-1, 0, 1, 7, 2**40))
        case 2:
            tensor.shape.dim[random.randrange(len(tensor.shape.dim))].dim_param = random.choice(("", "N", "\x1b[31m"))
        case 3:
            value.name = random.choice(("", "faces", "probabilities", "other", "x" * 100_000))
        case _:
            tensor.ClearField("shape")


def _more_values(random: Random, graph: Any) -> None:
    which = random.choice((graph.input, graph.output))
    if random.random() < 0.5:
        which.add().CopyFrom(which[0])
    else:
        which.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N", 3]))


def _odd_initializer(random: Random, graph: Any) -> None:
    tensor = graph.initializer[random.randrange(len(graph.initializer))]
    match random.randrange(6):
        case 0:
            tensor.dims[0] = random.choice((0, -1, 1, 2**31, 2**40, 2**62, 2**63 - 1))
        case 1:
            tensor.dims.append(random.choice((0, 2, 2**40)))
        case 2:
            tensor.data_type = random.choice((0, 2, 6, 8, 10, 11, 16, 99))
        case 3:
            tensor.raw_data = random.randbytes(random.choice((0, 1, 7, 12, 4096)))
        case 4:
            tensor.name = random.choice(("", "faces", "logits", "probabilities"))
        case _:
            graph.initializer.add().CopyFrom(tensor)


def _external_data(random: Random, graph: Any) -> None:
    tensor = graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    location = random.choice(("weights.bin", "/etc/passwd", "../weights.bin", "", ".", "/dev/zero", "w\0", "\x1b[31m"))
    about = {"location": location, "offset": str(random.choice((0, -1, 2**62))), "length": str(odd_integer(random, 4))}
    for key in random.sample(sorted(about), random.randint(1, 3)) if random.random() < 0.3 else sorted(about):
        tensor.external_data.add(key=key, value=about[key])


def _loop(random: Random, graph: Any, body: list[Any] | None = None) -> None:
    turns = random.choice((0, 1, 3, 1000, 10**6, 10**9, 2**62, -1))
    body = body or [helper.make_node("Identity", ["before"], ["after"])]
    inner = helper.make_graph(
        [helper.make_node("Identity", ["condition"], ["go_on"]), *body],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    turn, yes = _constant(graph, "turns", turns), _constant(graph, "yes", True, TensorProto.BOOL)
    _tail(graph, helper.make_node("Loop", [turn, yes, "p"], ["probabilities"], body=inner))


def _growing_loop(random: Random, graph: Any) -> None:
    """Each turn doubles the tensor: it takes memory instead of time."""
    _loop(random, graph, [helper.make_node("Concat", ["before", "before"], ["after"], axis=0)])


def _large_tensor(random: Random, graph: Any) -> None:
    shape = _constant(graph, "large", [random.choice((10**3, 10**6, 10**8, 10**9, 10**10, 2**40, 2**62, -1))])
    kind = random.choice(("ConstantOfShape", "Expand", "Tile"))
    if kind == "ConstantOfShape":
        graph.node.append(helper.make_node(kind, [shape], ["much"]))
    else:
        one = _constant(graph, "one", [1.0], TensorProto.FLOAT)
        graph.node.append(helper.make_node(kind, [one, shape], ["much"]))
    graph.node.append(helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0))
    zero = _constant(graph, "zero", 0.0, TensorProto.FLOAT)
    graph.node.append(helper.make_node("Mul", ["most", zero], ["nothing"]))
    graph.node[3].output[0] = "p"
    graph.node.append(helper.make_node("Add", ["p", "nothing"], ["probabilities"]))


def _odd_node(random: Random, graph: Any) -> None:
    node = random.choice(graph.node)
    match random.randrange(6):
        case 0:
            node.op_type = random.choice(("", "Nothing", "Softmax", "Add", "Gather", "Conv", "If", "TopK", "Cast"))
        case 1:
            node.domain = random.choice(("com.microsoft", "ai.onnx.ml", "nobody", "\x1b[31m"))
        case 2:
            node.input[0] = random.choice(("", "nothing", "faces", "probabilities", node.output[0]))
        case 3:
            node.output[0] = random.choice(("", "faces", "logits", "weights"))
        case 4:
            node.attribute.append(helper.make_attribute(random.choice(("axis", "to", "x")), odd_integer(random, 8)))
        case _:
            graph.node.remove(node)


def _long_chain(random: Random, graph: Any) -> None:
    names = ["p", *(f"link{number}" for number in range(random.choice((10, 1000, 5000)))), "probabilities"]
    _tail(graph, *(helper.make_node("Identity", [a], [b]) for a, b in pairwise(names)))


def _deep_nesting(random: Random, graph: Any) -> None:
    """Nested ``If`` nodes; protobuf refuses a depth of 100."""
    _constant(graph, "yes", True, TensorProto.BOOL)
    node = helper.make_node("Identity", ["p"], ["deep0"])
    for depth in range(1, random.choice((2, 10, 24, 40))):
        result = [helper.make_tensor_value_info(f"deep{depth - 1}", TensorProto.FLOAT, None)]
        branch = helper.make_graph([node], f"branch{depth}", [], result)
        node = helper.make_node("If", ["yes"], [f"deep{depth}"], then_branch=branch, else_branch=branch)
        if node.ByteSize() > 1_000_000:
            break
    _tail(graph, node, helper.make_node("Identity", [node.output[0]], ["probabilities"]))


def _strings(_random: Random, graph: Any) -> None:
    _tail(
        graph,
        helper.make_node("Cast", ["p"], ["text"], to=TensorProto.STRING),
        helper.make_node("Cast", ["text"], ["probabilities"], to=TensorProto.FLOAT),
    )


_GRAPHS: dict[str, Callable[[Random, Any], None]] = {
    "weights": _weights,
    "no probabilities": _no_probabilities,
    "random numbers": _random_numbers,
    "other shape": _other_shape,
    "other signature": _other_signature,
    "more values": _more_values,
    "odd initializer": _odd_initializer,
    "external data": _external_data,
    "loop": _loop,
    "growing loop": _growing_loop,
    "large tensor": _large_tensor,
    "odd node": _odd_node,
    "long chain": _long_chain,
    "deep nesting": _deep_nesting,
    "strings": _strings,
}
