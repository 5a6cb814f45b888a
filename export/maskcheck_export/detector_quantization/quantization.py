"""Makes an int8 file of a detector's network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from maskcheck.runtime.distributions import installed_versions
from maskcheck.runtime.session import OnnxSession
from maskcheck_export.detector_quantization.calibration import MOST_WINDOWS, Windows
from maskcheck_export.detector_quantization.equalization import equalize
from maskcheck_export.detector_quantization.network import QuantizableDetector, find_head, read_graph
from maskcheck_export.onnx_graphs.convolutions import find_stem
from maskcheck_export.onnx_graphs.quantization import preprocess, quantize_graph
from maskcheck_export.writing.provenance import code_commit

_OPERATORS = ("Conv", "Relu", "Add", "MaxPool")


@dataclass(frozen=True)
class DetectorQuantization:
    """How int8 is made.

    Attributes:
        calibration: ``minmax``, ``entropy`` (least KL divergence) or ``percentile`` (99.999 %).
        stem: Convolutions at the beginning that stay in float: the first one has three channels, for which int8 is no
            faster, and where a block narrows, few values are left to convert.
        equalized: Whether all channels before a depthwise convolution get equal ranges.
    """

    calibration: str = "minmax"
    stem: int = 3
    equalized: bool = True


def quantize_detector(
    presets: Sequence[QuantizableDetector],
    pictures: Sequence[Path],
    how: DetectorQuantization,
    *,
    license: str,  # noqa: A002
    about_data: str,
) -> onnx.ModelProto:
    """Quantise the network of a detector; what it was made of is in the metadata.

    Args:
        presets: The detector in float32, with each of its presets.
        pictures: Files on which the ranges of the activations are measured.
        how: Calibration, and what stays in float.
        license: Licence of the network, for the metadata.
        about_data: What the pictures are, for the metadata.

    Raises:
        ModelError: The network's file cannot be read.
        DataError: It is quantised already, or the oldest supported runtime cannot read the result.
    """
    graph, sha256 = read_graph(presets[0].network)
    windows = Windows(pictures, presets)
    prepared = preprocess(graph)
    if how.equalized:
        prepared = equalize(prepared, windows.batches())
    proto = quantize_graph(
        prepared,
        windows.batches(MOST_WINDOWS.get(how.calibration)),
        calibration=how.calibration,
        reduce_range=True,
        operators=_OPERATORS,
        in_float=[*find_head(prepared), *find_stem(prepared, how.stem)],
    )
    versions = ", ".join(f"{name} {number}" for name, number in installed_versions("onnx", "onnxruntime").items())
    texts = {
        "maskcheck.created_by": f"maskcheck-export quantize-detector from commit {code_commit()} with {versions}",
        "maskcheck.license": license,
        "maskcheck.source": f"{presets[0].network.path.name}, SHA-256 {sha256}",
        "maskcheck.quantization": json.dumps(asdict(how)),
        "maskcheck.calibrated_on": json.dumps(
            {"data": about_data, "windows": len(windows), "pictures": [path.name for path in pictures]}
        ),
    }
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, texts)
    return proto


def in_int8(detector: QuantizableDetector, path: Path) -> QuantizableDetector:
    """A detector whose network is an int8 file; it runs on what the detector runs on."""
    return detector.running(OnnxSession(path, detector.network.config, precision="int8"))
