"""Prepares the import of the packages of the `export` extra."""

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
    """Check that the extra is installed, and choose the backend of Keras before Keras is imported.

    Args:
        backend: The backend that the command needs; by default, ``KERAS_BACKEND`` of the environment, or TensorFlow.

    Raises:
        MaskCheckError: A package is missing; the message names what to install.
    """
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    chosen = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    require_extra("export", *_PACKAGES, chosen)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # show only the errors in the log of TensorFlow
