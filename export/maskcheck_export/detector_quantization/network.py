"""The network of a detector as a graph to quantise, and the parts of it that stay in float."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import version_converter

from maskcheck.detectors.api import Detections
from maskcheck.pictures.decoding import BGRImage
from maskcheck.runtime.model_reading import read_model
from maskcheck.runtime.session import OnnxSession
from maskcheck_export.errors import DataError
from maskcheck_export.onnx_graphs.convolutions import CONVOLUTIONS
from maskcheck_export.onnx_graphs.versions import IR_VERSION, OPSET

_PER_CHANNEL_OPSET = 13  # the first one in which weights may have a scale for each channel


@runtime_checkable
class QuantizableDetector(Protocol):
    """What a detector offers so that its network can be quantised: a ``NetworkDetector`` with ``network_inputs``."""

    @property
    def network(self) -> OnnxSession:
        """The session of its network."""

    def running(self, network: OnnxSession) -> QuantizableDetector:
        """The same detector with another file."""

    def at_scales(self, image: BGRImage) -> list[BGRImage]:
        """What the network sees of a picture, at each scale."""

    def network_inputs(self, pictures: Sequence[BGRImage]) -> dict[str, NDArray[np.float32]]:
        """What the network is fed with, by name, for pictures of one size."""

    def detect(self, image: BGRImage, /) -> Detections:
        """The faces of a picture."""


def read_graph(session: OnnxSession) -> tuple[onnx.ModelProto, str]:
    """The graph of a session as it is loaded, its nodes named, and the SHA-256 of the file.

    Raises:
        ModelError: The file cannot be read.
        DataError: Its network is quantised already.
    """
    content, sha256 = read_model(session.path, prepare=session.prepare)
    proto = onnx.load_from_string(content)
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in proto.graph.node):
        raise DataError(f"{session.path} is quantised already; quantise the float32 file, by precision=float32")
    if _opset(proto) < _PER_CHANNEL_OPSET:
        proto = version_converter.convert_version(proto, OPSET)
    proto.ir_version = IR_VERSION
    for node in proto.graph.node:  # the quantiser knows nodes by their names
        node.name = f"{node.op_type}_{node.output[0]}"
    return proto, sha256


def find_head(proto: onnx.ModelProto) -> list[str]:
    """Names of the nodes from the last convolution before each output on: scores in 256 steps would be coarse."""
    producers = {name: node for node in proto.graph.node for name in node.output}
    head: dict[str, None] = {}
    waiting = [output.name for output in proto.graph.output]
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or node.name in head:
            continue
        head[node.name] = None
        if node.op_type not in CONVOLUTIONS:
            waiting.extend(node.input)
    return list(head)


def _opset(proto: onnx.ModelProto) -> int:
    return next(int(imported.version) for imported in proto.opset_import if imported.domain in ("", "ai.onnx"))
