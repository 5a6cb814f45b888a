"""The classifier file: where the embedded one lies, and what every one says of itself.

One ONNX file is the whole contract. Input ``faces``: uint8 (N, S, S, 3) RGB. Output ``probabilities``:
float32 (N, C). Everything else is in its ``metadata_props``, under the keys of :class:`ModelInfo`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskcheck.errors import ModelIntegrityError, ModelMetadataError, ModelNotFound

INPUT_NAME = "faces"
OUTPUT_NAME = "probabilities"

EMBEDDED_MODEL = Path(__file__).parent / "models" / "mask-inceptionv3-128-int8.onnx"
EMBEDDED_SHA256 = "898c0a6c9b695f319aa1f82ccbfd3cc2fbbfef0ee048eeca6c740d27f382641e"

_PREFIX = "maskcheck."
_SCHEMA = "1"


@dataclass(frozen=True)
class ModelInfo:
    """What a classifier file says of itself; each attribute is the metadata key ``maskcheck.<attribute>``.

    Attributes:
        labels: Label of each output, in order.
        input_size: Side S of the square input, in pixels.
        crop_margin: Added around a face box on each side, as a share of its longer side; what it was trained with.
        license: Licence of the weights.
        trained_on: The pictures it learned from.
        metrics: What was measured on it, and on which data.
        created_by: Tool, versions and commit that made it.
        precision: Arithmetic of the weights: ``float32``, ``int8``, ...

    Raises:
        ValueError: A value that no model can have.
    """

    labels: tuple[str, ...]
    input_size: int
    crop_margin: float
    license: str
    trained_on: str
    created_by: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: expected different names, got {', '.join(self.labels) or 'none'}")
        if self.input_size < 1:
            raise ValueError(f"input_size: expected 1 pixel or more, got {self.input_size}")
        if not 0 <= self.crop_margin < math.inf:
            raise ValueError(f"crop_margin: expected a finite number from 0, got {self.crop_margin}")
        if not isinstance(self.metrics, Mapping):
            raise ValueError(f"metrics: expected names and values, got {self.metrics!r}")

    def to_metadata(self) -> dict[str, str]:
        """The ``metadata_props`` to write into the file."""
        return {
            "maskcheck.schema": _SCHEMA,
            "maskcheck.labels": json.dumps(self.labels),
            "maskcheck.input_size": str(self.input_size),
            "maskcheck.crop_margin": str(self.crop_margin),
            "maskcheck.license": self.license,
            "maskcheck.trained_on": self.trained_on,
            "maskcheck.metrics": json.dumps(self.metrics),
            "maskcheck.created_by": self.created_by,
            "maskcheck.precision": self.precision,
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, path: str) -> ModelInfo:
        """Read a file's ``metadata_props``.

        Raises:
            ModelMetadataError: A key is missing or has a value of another form.
        """
        required = ("schema", "labels", "input_size", "crop_margin", "license", "trained_on", "created_by")
        missing = [_PREFIX + key for key in required if _PREFIX + key not in metadata]
        if missing:
            raise ModelMetadataError(
                f"{path} has no metadata {', '.join(missing)}: it was not made for maskcheck;"
                " convert a trained model with `maskcheck-export convert`",
                path=path,
            )
        values = {key.removeprefix(_PREFIX): value for key, value in metadata.items()}
        if values["schema"] != _SCHEMA:
            raise ModelMetadataError(
                f"{path} has metadata of schema {values['schema']!r}, this version reads {_SCHEMA!r};"
                " install the maskcheck release that the model was made for",
                path=path,
            )
        try:
            return cls(
                labels=_labels(values["labels"]),
                input_size=int(values["input_size"]),
                crop_margin=float(values["crop_margin"]),
                license=values["license"],
                trained_on=values["trained_on"],
                created_by=values["created_by"],
                metrics=json.loads(values.get("metrics", "{}")),
                precision=values.get("precision", "float32"),
            )
        except ValueError as error:
            raise ModelMetadataError(f"{path} has metadata that does not parse: {error}", path=path) from error


def _labels(text: str) -> tuple[str, ...]:
    labels = json.loads(text)
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"maskcheck.labels: expected a JSON list of names, got {text}")
    return tuple(labels)


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """Path of a classifier file; None is the embedded one.

    Raises:
        ModelNotFound: There is no such file.
    """
    path = EMBEDDED_MODEL if model is None else Path(model)
    if not path.is_file():
        raise ModelNotFound(
            f"no model file {path}"
            + ("; the installation is damaged, install maskcheck again" if model is None else ""),
            path=str(path),
        )
    return path


def hash_model(path: Path) -> str:
    """SHA-256 of a classifier file, in hexadecimal.

    Raises:
        ModelIntegrityError: It is the embedded file, but not as it was released.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if path == EMBEDDED_MODEL and sha256 != EMBEDDED_SHA256:
        raise ModelIntegrityError(
            f"the embedded model {path.name} has SHA-256 {sha256}, expected {EMBEDDED_SHA256}:"
            " the file was changed or cut off; install maskcheck again, or pass your own file as `model`",
            path=str(path),
        )
    return sha256
