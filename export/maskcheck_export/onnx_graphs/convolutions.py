"""Where the convolutions of a graph are."""

from __future__ import annotations

import onnx

CONVOLUTIONS = ("Conv", "ConvTranspose")
"""Kinds of nodes."""


def find_stem(proto: onnx.ModelProto, convolutions: int) -> list[str]:
    """Names of so many convolutions, the first ones, and of the nodes between them."""
    stem: list[str] = []
    for node in proto.graph.node:
        if node.op_type in CONVOLUTIONS:
            if not convolutions:
                break
            convolutions -= 1
        stem.append(node.name)
    return stem
