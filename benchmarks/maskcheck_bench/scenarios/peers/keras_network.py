"""The classifier as a Keras model."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME
from maskcheck.runtime.installed import import_runtime
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.scenarios.peers.dequantise import dequantise
from maskcheck_bench.scenarios.peers.peer import OWN_FLOAT32

VARIABLE = "MASKCHECK_BENCH_KERAS"
"""Environment variable: a trained ``.keras`` file to use instead of the ONNX file's weights."""

_Node = TypeVar("_Node", bound=Hashable)

_COMPARED = 4  # crops
_CLOSE = 1e-3  # difference of probabilities; float32 in another order of additions differs by less


@dataclass(frozen=True)
class KerasNetwork:
    """A Keras model from float or uint8 (N, S, S, 3) RGB in 0..255 to probabilities (N, C).

    Attributes:
        model: The model.
        weights: Where its weights come from, for people.
        comparable: Whether its labels should be the classifier's.
    """

    model: keras.Model
    weights: str
    comparable: bool


def load_network(classifier: MaskClassifier) -> KerasNetwork:
    """Load the file in ``MASKCHECK_BENCH_KERAS``; without one, the network of :func:`load_own`.

    Raises:
        ValueError: The file takes crops of another size.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return load_own(classifier)
    size = classifier.info.input_size
    model = keras.models.load_model(given, compile=False)
    if model.input_shape[1:] != (size, size, 3):
        raise ValueError(f"{given}: expected input (N, {size}, {size}, 3), got {model.input_shape}")
    return KerasNetwork(model, Path(given).name, model.output_shape[1:] == (len(classifier.labels),))


def load_own(classifier: MaskClassifier) -> KerasNetwork:
    """InceptionV3 with the weights of the ONNX file, or with random weights if the file holds another network."""
    size, classes = classifier.info.input_size, len(classifier.labels)
    model = build_inception(size, classes)
    try:
        graph = dequantise(onnx.load(classifier.path))
        _copy_weights(graph, model)
        _check_same(graph, model, classifier)
    except ValueError as error:
        return KerasNetwork(
            build_inception(size, classes), f"random, in an InceptionV3 of the same input: {error}", False
        )
    return KerasNetwork(model, OWN_FLOAT32, True)


def build_inception(size: int, classes: int) -> keras.Model:
    """InceptionV3 with the head that ``maskcheck-export`` trains, and random weights.

    Args:
        size: Side of the square input in pixels, 75 or more.
        classes: Number of labels.
    """
    layers = keras.layers
    body = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(size, size, 3))
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(faces := keras.Input((size, size, 3)))
    pooled = layers.GlobalAveragePooling2D()(body(scaled))
    return keras.Model(faces, layers.Dense(classes, activation="softmax")(pooled))


def _copy_weights(graph: onnx.ModelProto, network: keras.Model) -> None:
    """Copy the weights of a graph with the same layers, whose convolutions include the batch normalisation.

    Raises:
        ValueError: The graph has other layers.
    """
    body = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    *convolutions, head = _graph_weights(graph)
    pairs = list(_convolutions(body))
    with_bias = sum(len(weights) == 2 for weights in convolutions)
    if not len(pairs) == len(convolutions) == with_bias:
        raise ValueError(
            f"expected {len(pairs)} convolutions with a bias, as in InceptionV3, got {len(convolutions)},"
            f" of which {with_bias} have one"
        )
    for (kernel, bias), (convolution, norm) in zip(convolutions, pairs, strict=True):
        convolution.set_weights([kernel.transpose(2, 3, 1, 0)])
        # Mean 0 and deviation 1: of the normalisation, only the addition of the bias is left.
        norm.set_weights([bias, np.zeros_like(bias), np.full_like(bias, 1 - norm.epsilon)])
    last, *added = head
    shape = network.layers[-1].kernel.shape
    added = added or [np.zeros(shape[-1], np.float32)]  # converters leave out an addition of zeros
    network.layers[-1].set_weights([last if last.shape == shape else last.T, *added])


def _graph_weights(graph: onnx.ModelProto) -> list[list[NDArray[np.float32]]]:
    """Kernel and bias of each convolution, then of the head, of what the probabilities are computed from.

    Raises:
        ValueError: The graph has no layers with weights.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    makers = {output: node for node in graph.graph.node for output in node.output}
    weights: list[list[NDArray[np.float32]]] = []
    for name in _in_order(OUTPUT_NAME, lambda name: makers[name].input if name in makers else ()):
        if name not in makers:
            continue
        layer = [constants[weight] for weight in makers[name].input if weight in constants]
        if makers[name].op_type in ("Conv", "Gemm", "MatMul"):
            weights.append(layer)
        elif makers[name].op_type == "Add" and weights:  # the bias of a MatMul; before the first layer, it scales
            weights[-1] += layer
    if not weights:
        raise ValueError("the model has no layers with weights")
    return weights


def _convolutions(body: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Each convolution with its batch normalisation."""
    makers = {id(layer.output): layer for layer in body.layers}

    def inputs(layer: Any) -> list[Any]:
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        return [makers[id(tensor)] for tensor in tensors]

    ordered = list(_in_order(makers[id(body.output)], inputs))
    convolutions = [layer for layer in ordered if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in ordered if isinstance(layer, keras.layers.BatchNormalization)]
    return zip(convolutions, norms, strict=True)


def _in_order(last: _Node, inputs: Callable[[_Node], Iterable[_Node]]) -> Iterator[_Node]:
    """All nodes that the last node needs, each once, after its inputs in their order.

    So two graphs of the same network give the same order, whatever names and order their files have.
    """
    seen = set()

    def visit(node: _Node) -> Iterator[_Node]:
        if node not in seen:
            seen.add(node)
            for earlier in inputs(node):
                yield from visit(earlier)
            yield node

    return visit(last)


def _check_same(graph: onnx.ModelProto, network: keras.Model, classifier: MaskClassifier) -> None:
    crops = draw_noise(classifier, _COMPARED)
    session = import_runtime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    difference = np.abs(session.run([OUTPUT_NAME], {INPUT_NAME: crops})[0] - network.predict(crops, verbose=0)).max()
    if difference > _CLOSE:
        raise ValueError(f"the model is no InceptionV3: probabilities differ by {difference:.3f}")
