"""The classifier as a Keras model: InceptionV3 with new heads; scaling and softmax are in the model."""

from __future__ import annotations

from pathlib import Path

import keras

from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, OUTPUT_NAME
from maskcheck_export.errors import DataError

BODY = "inception_v3"
HEAD = OUTPUT_NAME
"""The layer whose softmax gives the probabilities."""

CELLS = "cells"
"""The layer with the features of each cell, on which the place of a face is seen."""


def build_network(*, size: int, classes: int, weights: str, dropout: float, second_look: bool = False) -> keras.Model:
    """Build the classifier.

    Args:
        size: Side of the square input in pixels, 75 or more.
        classes: Number of labels.
        weights: ``imagenet`` (Keras downloads them), ``none`` (random), or a file: the ``.weights.h5`` of the body
            without its top (``InceptionV3(include_top=False)``), or the ``model.keras`` of an earlier run, whose body
            is used.
        dropout: Share of the features that training drops, before each head.
        second_look: Whether it also says if there is a face, and where.

    Returns:
        A model from uint8 or float (N, S, S, 3) RGB in 0..255 to a dictionary: float32 ``probabilities`` (N, classes);
        with a second look also ``face`` (N, 1) and ``box`` (N, 4), as in ``maskcheck.classifier.second_look``.

    Raises:
        DataError: The weights file is missing or belongs to another network, or a download failed.
    """
    named = weights if weights == "imagenet" else None
    try:
        body = keras.applications.InceptionV3(include_top=False, weights=named, input_shape=(size, size, 3), name=BODY)
    except Exception as error:  # Keras raises a bare Exception if a download fails
        if named is None:
            raise
        raise DataError(f"Keras cannot get the ImageNet weights: {error}; give a weights file instead") from error
    if weights not in ("imagenet", "none"):
        _load_body(body, Path(weights))
    faces = keras.Input((size, size, 3), name="faces")
    # The preprocessing of InceptionV3, [-1, 1]; in the model, so that training and inference cannot differ.
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
            body.set_weights(keras.models.load_model(path, compile=False).get_layer(BODY).get_weights())
        else:
            body.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} does not fit InceptionV3 without its top: {reason}") from error


def divide_logits(network: keras.Model, temperature: float) -> None:
    """Put a softmax temperature into the weights of the head: softmax((W x + b) / T) without another operator."""
    head = network.get_layer(HEAD)
    head.set_weights([value / temperature for value in head.get_weights()])
