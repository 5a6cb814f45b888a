"""Post-training quantisation to int8 by ONNX Runtime: QDQ, activations uint8, weights int8 per channel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from maskcheck_export.onnx_graphs.versions import check

_METHODS = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "entropy": quantization.CalibrationMethod.Entropy,
    "percentile": quantization.CalibrationMethod.Percentile,
}

_Feeds = Mapping[str, NDArray[Any]]


def preprocess(floating: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with batch normalisation folded into convolutions, and with the shapes of all tensors."""
    with tempfile.TemporaryDirectory() as temporary:
        plain, prepared = (Path(temporary) / name for name in ("plain.onnx", "prepared.onnx"))
        onnx.save(floating, plain)
        quantization.quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        return onnx.load(prepared)


def quantize_graph(
    prepared: onnx.ModelProto,
    batches: Iterable[_Feeds],
    *,
    calibration: str,
    reduce_range: bool,
    operators: Sequence[str],
    in_float: Sequence[str] = (),
) -> onnx.ModelProto:
    """Quantise a preprocessed graph.

    Args:
        prepared: What :func:`preprocess` gives.
        batches: Inputs by name, on which the ranges of the activations are measured. The histograms of entropy and
            percentile need inputs of one shape, and keep every activation of all of them in memory at once.
        calibration: ``minmax``, ``entropy`` (least KL divergence) or ``percentile`` (99.999 %).
        reduce_range: Use 7-bit weights: a CPU without VNNI adds products of 8-bit numbers in 16 bits, which overflow.
        operators: Types of the operators that are quantised.
        in_float: Names of nodes that stay in float all the same.

    Raises:
        DataError: The oldest supported runtime cannot read the result.
    """
    with tempfile.TemporaryDirectory() as temporary:
        source, quantized = (Path(temporary) / name for name in ("prepared.onnx", "quantized.onnx"))
        onnx.save(prepared, source)
        quantization.quantize_static(
            source,
            quantized,
            _Batches(batches),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(operators),
            nodes_to_exclude=list(in_float),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=reduce_range,
            calibrate_method=_METHODS[calibration],
        )
        proto = onnx.load(quantized)
    check(proto)
    return proto


class _Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Gives the quantiser one batch after the other."""

    def __init__(self, batches: Iterable[_Feeds]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch by name of the input, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else dict(batch)
