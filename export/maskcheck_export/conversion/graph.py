"""Converts a Keras network to an ONNX graph, counts its parts and checks it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import keras
import onnx
import tensorflow as tf
import tf2onnx

from maskcheck.classifier.model import FACE_OUTPUT, INPUT_NAME
from maskcheck_export.errors import DataError

OPSET = 17
IR_VERSION = 8
"""Belongs to opset 17. ONNX Runtime 1.20, the oldest that the SDK supports, reads opset 21 and IR version 10."""


@dataclass(frozen=True)
class GraphFacts:
    """Facts of a graph.

    Attributes:
        opset: Version of the standard operators.
        ir_version: Version of the file format.
        nodes: Number of operators.
        transposes: Number of operators that only move data, because Keras and ONNX order the axes differently.
    """

    opset: int
    ir_version: int
    nodes: int
    transposes: int


def graph_facts(proto: onnx.ModelProto) -> GraphFacts:
    """Read the versions of a graph, and count its operators."""
    kinds = Counter(node.op_type for node in proto.graph.node)
    opset = next(imported.version for imported in proto.opset_import if imported.domain in ("", "ai.onnx"))
    return GraphFacts(opset, proto.ir_version, kinds.total(), kinds["Transpose"])


def to_onnx(network: keras.Model, size: int) -> onnx.ModelProto:
    """Convert a Keras classifier: ``faces`` uint8 (N, size, size, 3) RGB to ``probabilities`` float32 (N, C).

    With a second look, also to ``face`` float32 (N,) and ``box`` float32 (N, 4).

    Raises:
        DataError: The graph has a newer opset or file format than was requested.
    """
    signature = [tf.TensorSpec((None, size, size, 3), tf.uint8, name=INPUT_NAME)]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def serve(faces: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = dict(network(tf.cast(faces, tf.float32), training=False))
        if FACE_OUTPUT in outputs:
            outputs[FACE_OUTPUT] = tf.squeeze(outputs[FACE_OUTPUT], axis=1)
        return outputs

    proto, _ = tf2onnx.convert.from_function(serve, input_signature=signature, opset=OPSET)
    proto.ir_version = IR_VERSION
    for tensor in (proto.graph.input[0], *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    check(proto)
    return proto


def check(proto: onnx.ModelProto) -> None:
    """Check a graph against the ONNX standard, and that the oldest supported runtime can read it.

    Raises:
        DataError: It has a newer opset or file format.
    """
    onnx.checker.check_model(proto, full_check=True)
    facts = graph_facts(proto)
    if facts.opset > OPSET or facts.ir_version > IR_VERSION:
        raise DataError(
            f"expected opset {OPSET} and IR version {IR_VERSION} at most, got {facts.opset} and {facts.ir_version}"
        )
