"""The model file of the mask classifier: where it is, its hash, and what its metadata says.

One ONNX file contains everything. Its input ``faces`` is uint8 (N, S, S, 3), RGB. Its output ``probabilities`` is
float32 (N, C). A file of schema 2 has two more outputs, ``face`` (N,) and ``box`` (N, 4), which
:mod:`maskcheck.classifier.second_look` describes. All else is in its ``metadata_props``, under the keys of
:class:`ModelInfo`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from maskcheck.classifier.second_look import Combination
from maskcheck.errors import ModelError, ModelIntegrityError, ModelMetadataError, ModelNotFound
from maskcheck.texts import shortened

INPUT_NAME = "faces"
OUTPUT_NAME = "probabilities"
FACE_OUTPUT, BOX_OUTPUT = "face", "box"
"""The outputs of schema 2."""


@dataclass(frozen=True)
class EmbeddedModel:
    """A model file that comes with the package.

    Attributes:
        path: The file.
        sha256: Of the file as it was released, in hexadecimal.
    """

    path: Path
    sha256: str


_FOLDER = Path(__file__).parent / "models"
DEFAULT_MODEL = "default"
EMBEDDED_MODELS = {
    DEFAULT_MODEL: EmbeddedModel(
        _FOLDER / "mask-inceptionv3-128-int8.onnx", "390403c01cfd81471de01a52908d11596e4790a1d9721a3dc3fee349daecfe79"
    ),
    "small": EmbeddedModel(
        _FOLDER / "mask-mobilenetv2-96-int8.onnx", "45e9cefc04b72a37b231501d5428b253c237d0f6b8158075c3fe608e3b5012c7"
    ),
}
"""By the name that a caller gives as `model`."""

_PREFIX = "maskcheck."
_SCHEMAS = ("1", "2")

# Limits for files of strangers, far above what a classifier of faces needs.
_INPUT_SIZES = (8, 1024)  # pixels
_LARGEST_MARGIN = 2.0
_MOST_LABELS = 1000
_LONGEST_NAME = 100  # characters of a label and of the precision
_LONGEST_ENTRY = 1_000_000  # characters
_DEEPEST = 20  # lists and objects inside each other, in the metrics

_JOINERS = str.maketrans("", "", "\u200c\u200d")  # invisible, but parts of words in some scripts, and of emoji

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class ModelInfo:
    """What the metadata of a model file says; the attribute ``labels`` is the key ``maskcheck.labels``, and so on.

    Attributes:
        labels: The label of each probability, in order.
        input_size: Side S of the square input, in pixels.
        crop_margin: Margin around a face box on each side, as a share of the longer side of the box. The model was
            trained with it.
        license: Licence of the weights.
        trained_on: The training pictures.
        metrics: Results of the model, and the data that they were measured on.
        created_by: Tool, versions and commit that made the file.
        precision: Arithmetic that the file is stored in: ``float32``, ``int8``, ...
        second_look: For detectors by name, how their scores combine with the output ``face``. None for a file of
            schema 1, which has no such output.

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
    second_look: Mapping[str, Combination] | None = None

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: expected different names, got {shortened(', '.join(self.labels) or 'none')}")
        if len(self.labels) > _MOST_LABELS:
            raise ValueError(f"labels: expected at most {_MOST_LABELS}, got {len(self.labels)}")
        for label in self.labels:
            _check_name("labels", label)
        _check_name("precision", self.precision)
        least, most = _INPUT_SIZES
        if not least <= self.input_size <= most:
            raise ValueError(f"input_size: expected {least} to {most} pixels, got {shortened(self.input_size)}")
        if not 0 <= self.crop_margin <= _LARGEST_MARGIN:
            raise ValueError(f"crop_margin: expected a number from 0 to {_LARGEST_MARGIN:g}, got {self.crop_margin}")
        if not isinstance(self.metrics, Mapping):
            raise ValueError(f"metrics: expected a JSON object, got {shortened(self.metrics)}")

    def to_metadata(self) -> dict[str, str]:
        """The ``metadata_props`` to write into the file."""
        metadata = {
            "maskcheck.schema": "1" if self.second_look is None else "2",
            "maskcheck.labels": json.dumps(self.labels),
            "maskcheck.input_size": str(self.input_size),
            "maskcheck.crop_margin": str(self.crop_margin),
            "maskcheck.license": self.license,
            "maskcheck.trained_on": self.trained_on,
            "maskcheck.metrics": json.dumps(self.metrics),
            "maskcheck.created_by": self.created_by,
            "maskcheck.precision": self.precision,
        }
        if self.second_look is not None:
            combinations = {name: combination.to_dict() for name, combination in self.second_look.items()}
            metadata["maskcheck.second_look"] = json.dumps(combinations)
        return metadata

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, path: str) -> ModelInfo:
        """Read a file's ``metadata_props``.

        Raises:
            ModelMetadataError: A key is missing, or its value is damaged.
        """
        required = ("schema", "labels", "input_size", "crop_margin", "license", "trained_on", "created_by")
        missing = [_PREFIX + key for key in required if _PREFIX + key not in metadata]
        if missing:
            raise ModelMetadataError(
                f"{path} has no metadata {', '.join(missing)}: it was not made for maskcheck;"
                " convert a trained model with `maskcheck-export convert`",
                path=path,
            )
        values = {key.removeprefix(_PREFIX): value for key, value in metadata.items() if key.startswith(_PREFIX)}
        if values["schema"] not in _SCHEMAS:
            raise ModelMetadataError(
                f"{path} has metadata of schema {shortened(repr(values['schema']))}, this version reads"
                f" {' and '.join(map(repr, _SCHEMAS))};"
                " install the maskcheck release that the model was made for",
                path=path,
            )

        def entry(key: str, parse: Callable[[str], _Value], default: str = "") -> _Value:
            try:
                return parse(_not_too_long(values.get(key, default)))
            except (ValueError, OverflowError, RecursionError) as error:
                reason = "nested too deep" if isinstance(error, RecursionError) else shortened(str(error))
                raise ModelMetadataError(
                    f"{path} has metadata that does not parse: {_PREFIX}{key}: {reason}", path=path
                ) from error

        parsed: dict[str, Any] = {
            "labels": entry("labels", _labels),
            "input_size": entry("input_size", int),
            "crop_margin": entry("crop_margin", float),
            "license": entry("license", str),
            "trained_on": entry("trained_on", str),
            "created_by": entry("created_by", str),
            "metrics": entry("metrics", _metrics, "{}"),
            "precision": entry("precision", str, "float32"),
            "second_look": entry("second_look", _combinations, "{}") if values["schema"] == "2" else None,
        }
        try:
            return cls(**parsed)
        except ValueError as error:
            raise ModelMetadataError(f"{path} has metadata that does not parse: {_PREFIX}{error}", path=path) from error


def _check_name(key: str, name: str) -> None:
    if not 0 < len(name) <= _LONGEST_NAME or not name.translate(_JOINERS).isprintable():
        raise ValueError(f"{key}: expected 1 to {_LONGEST_NAME} printable characters, got {shortened(repr(name))}")


def _not_too_long(text: str) -> str:
    if len(text) > _LONGEST_ENTRY:
        raise ValueError(f"expected at most {_LONGEST_ENTRY:,} characters, got {len(text):,}")
    return text


def _labels(text: str) -> tuple[str, ...]:
    labels = json.loads(text)
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"expected a JSON list of names, got {shortened(text)}")
    return tuple(labels)


def _combinations(text: str) -> dict[str, Combination]:
    combinations = json.loads(text)
    if not isinstance(combinations, dict):
        raise ValueError(f"expected a JSON object, got {shortened(text)}")
    return {name: Combination.from_dict(content) for name, content in combinations.items()}


def _metrics(text: str) -> Any:
    metrics = json.loads(text, parse_constant=_finite, parse_float=_finite)
    _check_depth(metrics, _DEEPEST)
    return metrics


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):  # NaN, Infinity and 1e400, which JSON does not have
        raise ValueError(f"expected finite numbers, got {shortened(number)}")
    return float(number)


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise ValueError(f"expected at most {_DEEPEST} lists and objects inside each other")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_depth(child, levels - 1)


def find_model(model: str | os.PathLike[str] | None) -> Path:
    """The path of a model file.

    Args:
        model: The file, or the name of an embedded model (a file of that name is ``./NAME``); None for the default one.

    Raises:
        ModelNotFound: There is no such file.
    """
    named = DEFAULT_MODEL if model is None else model
    embedded = EMBEDDED_MODELS.get(named) if isinstance(named, str) else None
    path = embedded.path if embedded else Path(named)
    try:
        exists = path.is_file()
    except (OSError, ValueError):  # a folder without permission, a lost network drive; a NUL in the path
        exists = False
    if not exists:
        advice = (
            "the installation is damaged, install maskcheck again"
            if embedded
            else f"expected an ONNX file, or one of the embedded models: {', '.join(EMBEDDED_MODELS)}"
        )
        raise ModelNotFound(f"no model file {shortened(str(path))}; {advice}", path=str(path))
    return path


def is_embedded(path: Path) -> bool:
    """Whether a model file is one that comes with the package."""
    return _embedded_at(path) is not None


def _embedded_at(path: Path) -> EmbeddedModel | None:
    return next((embedded for embedded in EMBEDDED_MODELS.values() if embedded.path == path), None)


_hashes: dict[Path, tuple[tuple[int, ...], str]] = {}
_SETTLED = 2.0  # seconds: every file system gives a later change another time


def hash_model(path: Path) -> str:
    """SHA-256 of a model file, in hexadecimal; computed again only if its size, times or inode change.

    Raises:
        ModelIntegrityError: It is an embedded file, but differs from the released one.
        ModelError: It cannot be read.
    """
    try:
        state = path.stat()
        version = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev)
        known = _hashes.get(path)
        if known is not None and known[0] == version:
            sha256 = known[1]
        else:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if time.time() - max(state.st_mtime, state.st_ctime) > _SETTLED:
                _hashes[path] = version, sha256
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}", path=str(path)) from error
    embedded = _embedded_at(path)
    if embedded is not None and sha256 != embedded.sha256:
        raise ModelIntegrityError(
            f"the embedded model {path.name} has SHA-256 {sha256}, expected {embedded.sha256}:"
            " the file was changed or cut off; install maskcheck again, or pass your own file as `model`",
            path=str(path),
        )
    return sha256
