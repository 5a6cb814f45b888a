"""Equal ranges of all channels before depthwise convolutions, so that eight bits are enough for each channel.

After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019 (arXiv:1906.04721),
section 4.1. There, the ranges of weights are made equal; here, those of activations, as weights have a scale for each
channel anyway. All channels of an activation share one scale: without this, channels of small values keep few steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

_LEAST_SCALE = 1e-3  # of a channel that is always 0, or nearly


@dataclass(frozen=True)
class _Pair:
    """A convolution, and a depthwise convolution that alone takes what it gives, as it is or by a ReLU."""

    producer: onnx.NodeProto
    depthwise: onnx.NodeProto


def equalize(prepared: onnx.ModelProto, batches: Iterable[Mapping[str, NDArray[Any]]]) -> onnx.ModelProto:
    """The same function, with equal ranges of all channels of the input of each depthwise convolution.

    A ReLU of ``x / s`` is that of ``x``, divided by ``s``, for any ``s`` above 0. So the weights that make a channel
    are divided by its scale, and the depthwise weights that take it are multiplied by it.

    Args:
        prepared: A graph without batch normalisation.
        batches: Inputs by name, on which the ranges are measured.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(prepared)
    weights = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in proto.graph.initializer}
    pairs = _find_pairs(proto, weights)
    for pair, peaks in zip(pairs, _measure_peaks(proto, pairs, batches), strict=True):
        scale = np.maximum(peaks / peaks.max(), _LEAST_SCALE).astype(np.float32) if peaks.any() else peaks + 1
        for name in pair.producer.input[1:]:  # weights (C, ...), and bias (C,) if there is one
            weights[name] = weights[name] / scale.reshape(-1, *[1] * (weights[name].ndim - 1))
        name = pair.depthwise.input[1]
        weights[name] = weights[name] * scale.reshape(-1, 1, 1, 1)
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return proto


def _find_pairs(proto: onnx.ModelProto, weights: Mapping[str, NDArray[Any]]) -> list[_Pair]:
    producers = {name: node for node in proto.graph.node for name in node.output}
    uses: dict[str, int] = defaultdict(int)  # of a tensor, or of weights
    for name in [name for node in proto.graph.node for name in node.input] + [out.name for out in proto.graph.output]:
        uses[name] += 1
    pairs = []
    for node in proto.graph.node:
        if node.op_type != "Conv" or node.input[1] not in weights or weights[node.input[1]].shape[1] != 1:
            continue
        source = producers.get(node.input[0])
        path = [node.input[0]]
        if source is not None and source.op_type == "Relu":
            path.append(source.input[0])
            source = producers.get(source.input[0])
        changed = [*path, node.input[1], *(source.input[1:] if source is not None else ())]
        if source is not None and source.op_type == "Conv" and all(uses[name] == 1 for name in changed):
            depthwise_width = weights[node.input[1]].shape[0]
            if depthwise_width == weights[source.input[1]].shape[0]:  # one filter for each channel
                pairs.append(_Pair(source, node))
    return pairs


def _measure_peaks(
    proto: onnx.ModelProto, pairs: list[_Pair], batches: Iterable[Mapping[str, NDArray[Any]]]
) -> list[NDArray[np.float32]]:
    """The largest absolute value of each channel of what each depthwise convolution takes."""
    measured = onnx.ModelProto()
    measured.CopyFrom(proto)
    del measured.graph.output[:]
    for pair in pairs:
        measured.graph.output.append(onnx.ValueInfoProto(name=pair.depthwise.input[0]))
    if not pairs:
        return []
    session = onnxruntime.InferenceSession(measured.SerializeToString(), providers=["CPUExecutionProvider"])
    peaks: list[NDArray[np.float32]] = [np.zeros(1, np.float32)] * len(pairs)
    for batch in batches:
        values = session.run(None, dict(batch))
        peaks = [np.maximum(peak, np.abs(value).max(axis=(0, 2, 3))) for peak, value in zip(peaks, values, strict=True)]
    return peaks
