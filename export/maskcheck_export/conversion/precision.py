"""The same network in fewer bits: float16, and int8 by post-training quantisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import onnx

from maskcheck.classifier.model import BOX_OUTPUT, INPUT_NAME
from maskcheck.pictures.crops import Crops
from maskcheck_export.conversion.choices import CALIBRATIONS
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.prediction import read_crops
from maskcheck_export.onnx_graphs.convolutions import CONVOLUTIONS, find_stem
from maskcheck_export.onnx_graphs.float_features import keep_features_float
from maskcheck_export.onnx_graphs.quantization import preprocess, quantize_graph
from maskcheck_export.onnx_graphs.versions import check
from maskcheck_export.recipes.settings import Input

CALIBRATION_BATCH = 32
# The histograms of entropy and percentile keep every activation of all batches in memory at once.
CALIBRATION_BATCHES = {"minmax": 16, "entropy": 4, "percentile": 4}


@dataclass(frozen=True)
class Quantization:
    """How int8 is made.

    Attributes:
        calibration: ``minmax``, ``entropy`` (least KL divergence) or ``percentile`` (99.999 %).
        reduce_range: Use 7-bit weights: a CPU without VNNI adds products of 8-bit numbers in 16 bits, which overflow.
    """

    calibration: str = "minmax"
    reduce_range: bool = True

    def __str__(self) -> str:
        return f"{self.calibration}, {7 if self.reduce_range else 8}-bit weights"


QUANTIZATIONS = tuple(Quantization(*choice) for choice in product(CALIBRATIONS, (True, False)))
"""All ways to make int8."""


def to_float16(floating: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with weights and activations in float16; the input, its scaling and the probabilities do not change."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half = onnx.ModelProto()
    half.CopyFrom(floating)
    # Softmax in float32: probabilities in float16 would be coarse, and would not add up to 1.
    half = convert_float_to_float16(half, keep_io_types=True, op_block_list=["Softmax"])
    OnnxModel(half).topological_sort()  # the converter puts its casts at the end
    check(half)
    return half


def quantize(floating: onnx.ModelProto, how: Quantization, training: Sequence[Sample], shape: Input) -> onnx.ModelProto:
    """The graph with its body in int8 (QDQ, weights per channel).

    Args:
        floating: The float32 graph.
        how: Calibration and bits of the weights.
        training: Training faces; the ranges of the activations are measured on some of them.
        shape: Input size and margin.
    """
    prepared = preprocess(floating)
    # Without the head: probabilities in 256 steps would be coarse, and would not add up to 1.
    operators = ["Conv", "Relu", "MaxPool", "AveragePool", "Concat"]
    sees_places = BOX_OUTPUT in {output.name for output in prepared.graph.output}
    proto = quantize_graph(
        prepared,
        _calibration_batches(training, shape, CALIBRATION_BATCHES[how.calibration]),
        calibration=how.calibration,
        reduce_range=how.reduce_range,
        # The Relu6 of MobileNetV2 is a Clip, which disappears in the range of its output.
        operators=[*operators, "Clip"],
        in_float=[*_until_depthwise(prepared), *(_last_clips(prepared) if sees_places else ())],
    )
    if sees_places:
        keep_features_float(proto, [*operators, "Add"])  # the sums of MobileNetV2 lie within its body
        check(proto)
    return proto


def _until_depthwise(prepared: onnx.ModelProto) -> list[str]:
    """The names of the nodes up to the first depthwise convolution and its clip; none without such a convolution.

    The few channels that it sees have very different ranges, which share one scale in int8: it alone makes half of the
    difference that int8 makes to a MobileNetV2, and takes no more time in float.
    """
    filters = {tensor.name: tensor.dims[0] for tensor in prepared.graph.initializer if tensor.dims}
    for number, node in enumerate((node for node in prepared.graph.node if node.op_type in CONVOLUTIONS), 1):
        groups = next((entry.i for entry in node.attribute if entry.name == "group"), 1)
        if groups > 1 and groups == filters[node.input[1]]:
            return find_stem(prepared, number)
    return []


def _last_clips(prepared: onnx.ModelProto) -> list[str]:
    """The names of the clips that make the features of the heads: their limit is to stay where nothing is rounded."""
    further = {tensor for node in prepared.graph.node if node.op_type == "Conv" for tensor in node.input}
    clips = [node for node in prepared.graph.node if node.op_type == "Clip"]
    return [node.name for node in clips if node.output[0] not in further]


def _calibration_batches(training: Sequence[Sample], shape: Input, batches: int) -> Iterator[dict[str, Crops]]:
    """Crops of training faces, evenly spread, in batches of one size: percentiles fail on a smaller last batch."""
    wanted = min(len(training), CALIBRATION_BATCH * batches)
    batch = min(wanted, CALIBRATION_BATCH)
    chosen = np.linspace(0, len(training) - 1, wanted // batch * batch).astype(int)
    crops = read_crops([training[i] for i in chosen], size=shape.size, margin=shape.margin)
    while of_batch := list(islice(crops, batch)):
        yield {INPUT_NAME: np.stack(of_batch)}
