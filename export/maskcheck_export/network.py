"""The classifier as a Keras model: InceptionV3 with a new head, scaling and softmax inside."""

from __future__ import annotations

from pathlib import Path

import keras

from maskcheck_export.data import DataError

BODY = "inception_v3"


def build_network(*, size: int, classes: int, weights: str, dropout: float) -> keras.Model:
    """Build the classifier.

    Args:
        size: Side of the square input in pixels, 75 or more.
        classes: Number of labels.
        weights: ``imagenet`` (downloaded by Keras), ``none``, or the path of a weights file of the body
            without its top (``InceptionV3(include_top=False)``).
        dropout: Share of the pooled features dropped while training.

    Returns:
        A model from uint8 or float (N, S, S, 3) RGB in 0..255 to float32 probabilities (N, classes).

    Raises:
        DataError: The weights file is missing or belongs to another network, or a download failed.
    """
    named = weights if weights == "imagenet" else None
    try:
        body = keras.applications.InceptionV3(include_top=False, weights=named, input_shape=(size, size, 3), name=BODY)
    except Exception as error:  # what Keras raises if a download fails is a bare Exception
        if named is None:
            raise
        raise DataError(f"Keras cannot get the ImageNet weights: {error}; give a weights file instead") from error
    if weights not in ("imagenet", "none"):
        if not Path(weights).is_file():
            raise DataError(f"no weights file {weights}; expected imagenet, none or the path of a .weights.h5 file")
        try:
            body.load_weights(weights)
        except (ValueError, OSError, KeyError) as error:
            raise DataError(f"{weights} does not fit InceptionV3 without its top: {error}") from error
    faces = keras.Input((size, size, 3), name="faces")
    # InceptionV3's own preprocessing, [-1, 1]; in the model, so that training and inference cannot differ in it.
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(faces)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(body(scaled))
    features = keras.layers.Dropout(dropout, name="dropout")(features)
    probabilities = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(features)
    return keras.Model(faces, probabilities, name="maskcheck")
