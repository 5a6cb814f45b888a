"""Versions of a graph, and the number of its parts; and whether the oldest supported ONNX Runtime can read it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx

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
