"""Converts a Keras network to an ONNX graph."""

from __future__ import annotations

import keras
import onnx
import tensorflow as tf
import tf2onnx

from maskcheck.classifier.model import FACE_OUTPUT, INPUT_NAME
from maskcheck_export.onnx_graphs.versions import IR_VERSION, OPSET, check


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
