"""The classifier as a Keras model: a body of Keras with new heads; scaling and softmax are in the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, OUTPUT_NAME
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Architecture

HEAD = OUTPUT_NAME
"""The layer whose softmax gives the probabilities."""

CELLS = "cells"
"""The layer with the features of each cell, on which the place of a face is seen."""

_BODIES: Mapping[str, Callable[..., keras.Model]] = {
    "inception_v3": keras.applications.InceptionV3,
    "mobilenet_v2": keras.applications.MobileNetV2,
}
"""Networks by name. The body's layer has that name, too. All take pixels in [-1, 1]."""

_MOMENTUM = 0.99
"""Of the moving averages of batch normalisation: the default of Keras. Its MobileNetV2 has 0.999, which is too slow for
a training of a few thousand steps."""


def build_network(
    *,
    size: int,
    classes: int,
    weights: str,
    dropout: float,
    second_look: bool = False,
    architecture: Architecture = "inception_v3",
) -> keras.Model:
    """Build the classifier.

    Args:
        size: Side of the square input in pixels, 75 or more.
        classes: Number of labels.
        weights: ``imagenet`` (Keras downloads them), ``none`` (random), or a file: the ``.weights.h5`` of the body
            without its top (``include_top=False``), or the ``model.keras`` of an earlier run, whose body is used.
        dropout: Share of the features that training drops, before each head.
        second_look: Whether it also says if there is a face, and where.
        architecture: The body.

    Returns:
        A model from uint8 or float (N, S, S, 3) RGB in 0..255 to a dictionary: float32 ``probabilities`` (N, classes);
        with a second look also ``face`` (N, 1) and ``box`` (N, 4), as in ``maskcheck.classifier.second_look``.

    Raises:
        DataError: The weights file is missing or belongs to another network, or a download failed.
    """
    named = weights if weights == "imagenet" else None
    try:
        body = _BODIES[architecture](include_top=False, weights=named, input_shape=(size, size, 3), name=architecture)
    except Exception as error:  # Keras raises a bare Exception if a download fails
        if named is None:
            raise
        raise DataError(f"Keras cannot get the ImageNet weights: {error}; give a weights file instead") from error
    if weights not in ("imagenet", "none"):
        _load_body(body, Path(weights))
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    faces = keras.Input((size, size, 3), name="faces")
    # The preprocessing of the bodies, [-1, 1]; in the model, so that training and inference cannot differ.
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(faces)
    maps = body(scaled)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    features = keras.layers.Dropout(dropout, name="dropout")(features)
    outputs = {HEAD: keras.layers.Dense(classes, activation="softmax", dtype="float32", name=HEAD)(features)}
    if second_look:
        outputs[FACE_OUTPUT] = keras.layers.Dense(1, activation="sigmoid", dtype="float32", name=FACE_OUTPUT)(features)
        # Where the face is, is lost in the mean of the maps: this head sees each of their cells.
        cells = keras.layers.Dropout(dropout, name="dropout_cells")(keras.layers.Flatten(name=CELLS)(maps))
        outputs[BOX_OUTPUT] = keras.layers.Dense(4, dtype="float32", name=BOX_OUTPUT)(cells)
    return keras.Model(faces, outputs, name="maskcheck")


def _load_body(body: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise DataError(f"no weights file {path}; expected imagenet, none, a .weights.h5 file or a model.keras")
    try:
        if path.suffix == ".keras":
            # Convolutions fit any input size: a body trained on small crops can go on with larger crops.
            body.set_weights(keras.models.load_model(path, compile=False).get_layer(body.name).get_weights())
        else:
            body.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} does not fit {body.name} without its top: {reason}") from error


def in_float32(network: keras.Model) -> keras.Model:
    """The network with float32 arithmetic, whatever it was trained with: its weights always are float32.

    ONNX Runtime has kernels of few operators for bfloat16, and figures should be those of the model that is used.
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    same = keras.models.clone_model(network, clone_function=clone, recursive=True)
    same.set_weights(network.get_weights())
    return same


def divide_logits(network: keras.Model, temperature: float) -> None:
    """Put a softmax temperature into the weights of the head: softmax((W x + b) / T) without another operator."""
    head = network.get_layer(HEAD)
    head.set_weights([value / temperature for value in head.get_weights()])
