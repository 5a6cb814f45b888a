"""ONNX models of one matrix product: the arithmetic that a machine or a GPU does fastest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper


def make_product(
    operator: str,
    inputs: list[str],
    side: int,
    taken: int,
    given: int,
    constants: Mapping[str, NDArray[np.generic]] | None = None,
) -> ModelProto:
    """A model with a single node, of square matrices.

    Args:
        operator: ``MatMul`` or one of its integer forms.
        inputs: Names of the operator's inputs; those that are not constants are the model's inputs.
        side: Rows and columns.
        taken: ONNX element type of the model's inputs.
        given: ONNX element type of its output, ``c``.
        constants: Inputs that are stored in the model.
    """
    constants = constants or {}
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["c"])],
        "product",
        [helper.make_tensor_value_info(name, taken, [side, side]) for name in inputs if name not in constants],
        [helper.make_tensor_value_info("c", given, [side, side])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def product_operations(side: int) -> int:
    """Operations of a product: a multiplication and an addition for each row, column and term of the sum."""
    return 2 * side**3
