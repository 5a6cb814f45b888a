"""What the commands do before they import the packages of the `export` extra."""

from __future__ import annotations

import os

from maskcheck.commands.group import require_extra

_PACKAGES = (
    "faster_coco_eval",
    "h5py",
    "imagehash",
    "keras",
    "matplotlib",
    "onnx",
    "optuna",
    "pydantic",
    "scipy",
    "sklearn",
    "tf2onnx",
    "tomli_w",
)


def require_export(*, backend: str | None = None) -> None:
    """Check that the extra is installed, and choose Keras's backend before it is imported.

    Args:
        backend: The one that is needed; by default, the user's (``KERAS_BACKEND``), or TensorFlow.

    Raises:
        MaskCheckError: A package is missing; the message says what to install.
    """
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    chosen = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    require_extra("export", *_PACKAGES, chosen)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of TensorFlow's own log, show only errors
