"""The classifier as a Keras model: InceptionV3 with a new head; scaling and softmax are in the model."""

from __future__ import annotations

from pathlib import Path

import keras

from maskcheck_export.errors import DataError

BODY = "inception_v3"
HEAD = "probabilities"


def build_network(*, size: int, classes: int, weights: str, dropout: float) -> keras.Model:
    """Build the classifier.

    Args:
        size: Side of the square input in pixels, 75 or more.
        classes: Number of labels.
        weights: ``imagenet`` (Keras downloads them), ``none`` (random), or a file: the ``.weights.h5`` of the body
            without its top (``InceptionV3(include_top=False)``), or the ``model.keras`` of an earlier run, whose body
            is used.
        dropout: Share of the pooled features that training drops.

    Returns:
        A model from uint8 or float (N, S, S, 3) RGB in 0..255 to float32 probabilities (N, classes).

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
    features = keras.layers.GlobalAveragePooling2D(name="pool")(body(scaled))
    features = keras.layers.Dropout(dropout, name="dropout")(features)
    probabilities = keras.layers.Dense(classes, activation="softmax", dtype="float32", name=HEAD)(features)
    return keras.Model(faces, probabilities, name="maskcheck")


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
