"""A model file, read once and checked before ONNX Runtime gets its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from maskcheck.errors import ModelError
from maskcheck.runtime.onnx_file import has_external_data
from maskcheck.texts import shortened

LONGEST_MESSAGE = 500
"""Characters of an error message that quotes a model file: a stranger's file may hold names of any length."""

_LARGEST_FILE = 2**31 - 1  # bytes: the limit of protocol buffers


def read_model(
    path: Path, *, prepare: Callable[[bytes], bytes] | None = None, expected_sha256: str | None = None
) -> tuple[bytes, str]:
    """Read a model whose weights are all in this file.

    Args:
        path: The ONNX file.
        prepare: Changes the bytes before they are loaded.
        expected_sha256: Hash of the file when it was first read; None for the first time.

    Returns:
        The prepared bytes, and the SHA-256 of the file in hexadecimal.

    Raises:
        ModelError: The file cannot be read, is no ONNX file, has changed, or has weights in another file.
    """
    name = str(path)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ModelError(
                f"{path} has more than 2 GB: an ONNX file cannot, and weights beside it are not read", path=name
            )
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}", path=name) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if expected_sha256 not in (None, sha256):
        raise ModelError(f"{path} has changed since it was first loaded; start the program again", path=name)
    try:
        prepared = prepare(content) if prepare else content
        external = has_external_data(prepared)
    except Exception as error:  # `prepare` may raise anything
        raise ModelError(f"cannot load {path}: {shortened(str(error), LONGEST_MESSAGE)}", path=name) from error
    if external:
        raise ModelError(
            f"{path} has weights in another file, which could change unnoticed; save the model again as one file,"
            " without external data",
            path=name,
        )
    return prepared, sha256
