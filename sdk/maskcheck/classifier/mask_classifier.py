"""The mask classifier: face crops in, probabilities of the labels out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.execution import plan_execution
from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME, ModelInfo, hash_model
from maskcheck.errors import ModelError, ModelMetadataError, ModelOutputError, ModelSignatureError
from maskcheck.pictures.crops import Crops, crop_face
from maskcheck.pictures.decoding import BGRImage
from maskcheck.runtime.binding import BOUND, BoundRunner, padded
from maskcheck.runtime.onnx_file import metadata_not_in_utf8
from maskcheck.runtime.providers import CPU, Provider
from maskcheck.runtime.session import Precision
from maskcheck.stages import StageDescription
from maskcheck.texts import shortened

_ROUNDING = 1e-3  # by which a row of probabilities may miss 1


class MaskClassifier:
    """A mask classifier on ONNX Runtime. Labels, input size and crop margin come from the model file.

    The session is made on first use in each process. An instance may be shared by threads and pickled.

    What is not given is taken from the choice of ``maskcheck doctor --tune``, if there is one for this model and
    machine. A `device` other than ``auto``, `providers` or a `precision` of yours puts that choice aside.

    A model file is data, but what it computes is its maker's: give files of strangers a `timeout` and a `max_memory`,
    and run them in a process that may be ended, because one long operation of a model is not interrupted.

    Args:
        model: An ONNX file made by ``maskcheck-export``; by default, the embedded one. Weights in other files are
            refused: one file is the contract.
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        providers: ONNX Runtime execution providers in order of preference, instead of `device`.
        threads: Threads of the session, at most 512; by default, the CPUs that the process may use.
        batch_size: Most faces in one run of the session, at most 1024; by default, 32. It bounds memory, which grows
            with the largest run.
        precision: ``stored`` runs the file as it is, ``int8`` too but refuses another file, ``float32`` computes an
            int8 file in float. ``auto`` does that where int8 is slow, wrong or not there: on CUDA and CoreML, and on
            CPUs without instructions for it.
        timeout: Seconds that loading the model may take, and each run. By default, a model other than the embedded one
            has 60 seconds to load, and 60 for its first run on up to 32 faces; later runs have no limit. A provider
            that compiles for longer, as TensorRT may, needs more.
        max_memory: Bytes that runs on the CPU may take: of all classifiers in this process that have this limit, which
            is the same for each of them. Weights come on top, up to a few times the size of the file. By default, there
            is no limit. A process that is forked after a first use cannot have one.

    Raises:
        ModelNotFound: There is no such file.
        ValueError: An argument out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        precision: Precision = "auto",
        timeout: float | None = None,
        max_memory: int | None = None,
    ) -> None:
        self._asked: dict[str, Any] = {
            "model": model,
            "device": device,
            "providers": providers,
            "threads": threads,
            "batch_size": batch_size,
            "precision": precision,
            "timeout": timeout,
            "max_memory": max_memory,
        }
        execution = plan_execution(**self._asked)
        self._session = execution.session
        self._bound = BoundRunner(execution.session)
        self._tuned = execution.tuned
        self.batch_size = execution.batch_size

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._asked), ()  # made anew: on another machine another choice may be tuned

    @property
    def path(self) -> str:
        """The model file."""
        return str(self._session.path)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model file, in hexadecimal: of what was read when it was loaded. Loads the model.

        Raises:
            ModelIntegrityError: The embedded file is not the one that was released.
            RuntimeUnavailable, ModelError: It cannot be loaded.
        """
        if self._session.trusted:
            return hash_model(self._session.path)
        return self._session.sha256 or hash_model(self._session.path)

    @cached_property
    def info(self) -> ModelInfo:
        """What the model file says of itself.

        Raises:
            RuntimeUnavailable: No usable ONNX Runtime, or the provider asked for is not active.
            ModelError: The file is damaged, does not describe itself, is no mask classifier, does not run in the
                precision asked for, or takes too long to load.
        """
        _ = self.sha256  # a changed embedded file is refused before it is loaded
        session = self._session.session
        info = ModelInfo.from_metadata(_metadata(session, self._session.path), path=self.path)
        _check_signature(session, info, self.path)
        _check_precision(info, self._session.precision, self.path)
        return info

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of each output, in order."""
        return self.info.labels

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers that are active in the session, in order."""
        _ = self.info  # checks the file
        return self._session.active_providers

    @property
    def precision(self) -> str:
        """Arithmetic that the model runs in: ``int8``, ``float32``, ``float16``, ...; loads the model."""
        stored = self.info.precision
        return "float32" if stored == "int8" and self._session.int8_as_float32 else stored

    @property
    def chosen_by(self) -> str:
        """What decided the precision; loads the model.

        ``tuned`` is the choice of ``maskcheck doctor --tune``, ``asked`` the argument `precision`, ``file`` the model
        file, which runs in no other way; ``cpu`` are the instructions that the CPU has, and ``provider`` is the
        execution provider.
        """
        if self._tuned:
            return "tuned"
        if self._session.precision != "auto":
            return "asked"
        if self.info.precision != "int8":
            return "file"
        return "cpu" if self.providers[0] == CPU else "provider"

    @property
    def threads(self) -> int:
        """Threads of the session."""
        return self._session.thread_count

    def warm_up(self) -> None:
        """Load the model now, so that the first call does not wait and a fault shows at once.

        Raises:
            RuntimeUnavailable: No usable ONNX Runtime, or the requested provider is not active.
            ModelError: The model file cannot be used.
        """
        _ = self.info

    def describe(self) -> StageDescription:
        """The model file and its SHA-256, and the active providers, threads and precision; loads the model.

        Raises:
            RuntimeUnavailable, ModelError: It cannot be loaded.
        """
        return StageDescription(
            model=self._session.path.name,
            model_sha256=self.sha256,
            providers=self.providers,
            threads=self.threads,
            precision=self.precision,
        )

    def __call__(self, crops: Crops) -> NDArray[np.float32]:
        """Classify face crops, at most ``batch_size`` in one run.

        Args:
            crops: uint8 (N, S, S, 3), RGB, S as in ``info.input_size``.

        Returns:
            float32 (N, C): probability of each of the C labels.

        Raises:
            ValueError: Another shape or dtype.
            ModelOutputError: What the model gives are no probabilities.
            ModelTimeout: It takes too long.
            RuntimeUnavailable, ModelError: It cannot be loaded or run.
        """
        size = self.info.input_size
        if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
            got = f"{crops.dtype} of shape {crops.shape}" if isinstance(crops, np.ndarray) else type(crops).__name__
            raise ValueError(f"crops: expected uint8 of shape (N, {size}, {size}, 3) RGB, got {got}")
        runs = [self._run(crops[start : start + self.batch_size]) for start in range(0, len(crops), self.batch_size)]
        return np.concatenate(runs) if runs else np.empty((0, len(self.labels)), np.float32)

    def _run(self, batch: Crops) -> NDArray[np.float32]:
        provider = self._session.active_providers[0]
        if provider == CPU:
            output = self._session.run({INPUT_NAME: batch})[0]
            rows = len(batch)
        else:
            filled = padded(batch, self.batch_size)
            output = self._bound.run(filled) if provider in BOUND else self._session.run({INPUT_NAME: filled})[0]
            rows = len(filled)
        if output.shape != (rows, len(self.labels)):
            expected = f"expected shape {(rows, len(self.labels))}, got {shortened(output.shape)}"
            raise ModelOutputError(f"{self.path} gives no probabilities for each crop: {expected}", path=self.path)
        return _probabilities(output[: len(batch)], self.path)

    def crop(self, image: BGRImage, boxes: NDArray[np.floating]) -> Crops:
        """Cut faces out of a picture as the model was trained to see them.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels, half-open, each overlapping the picture.

        Returns:
            uint8 (N, S, S, 3), RGB.
        """
        size, margin = self.info.input_size, self.info.crop_margin
        crops = np.empty((len(boxes), size, size, 3), np.uint8)
        for crop, box in zip(crops, boxes, strict=True):
            crop_face(image, box, size=size, margin=margin, out=crop)
        return crops


def _probabilities(output: NDArray[np.float32], path: str) -> NDArray[np.float32]:
    """The output, if it can be probabilities: a few microseconds, whatever the model gives."""
    low, high, sums = float(output.min()), float(output.max()), output.sum(axis=1)
    least, most = float(sums.min()), float(sums.max())
    # Written so that NaN, which fails every comparison, is refused too.
    if not (-_ROUNDING <= low <= high <= 1 + _ROUNDING and 1 - _ROUNDING <= least <= most <= 1 + _ROUNDING):
        raise ModelOutputError(
            f"{path} gives no probabilities: expected numbers from 0 to 1 that add up to 1 for each crop, got numbers"
            f" from {low:g} to {high:g} that add up to {least:g} to {most:g}; softmax belongs into the model",
            path=path,
        )
    return output if low >= 0 and high <= 1 else np.clip(output, 0, 1)


def _metadata(session: Any, path: Path) -> dict[str, str]:
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        try:
            keys = metadata_not_in_utf8(path.read_bytes())
        except (OSError, ValueError):
            keys = []
        raise ModelMetadataError(
            f"{path} has metadata that is not UTF-8: {shortened(', '.join(keys) or repr(error.object))}", path=str(path)
        ) from error


def _check_precision(info: ModelInfo, asked: Precision, path: str) -> None:
    fits = {"int8": ("int8",), "float32": ("int8", "float32")}
    if asked in fits and info.precision not in fits[asked]:
        raise ModelError(
            f"precision {asked} was asked for, but {path} is stored in {info.precision}:"
            " only an int8 file can run in two ways; ask for auto or stored",
            path=path,
        )


def _check_signature(session: Any, info: ModelInfo, path: str) -> None:
    size, count = info.input_size, len(info.labels)
    expected = f"{INPUT_NAME} tensor(uint8) (N, {size}, {size}, 3) -> {OUTPUT_NAME} tensor(float) (N, {count})"
    try:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        fits = (
            [(tensor.name, tensor.type, list(tensor.shape[1:])) for tensor in inputs]
            == [(INPUT_NAME, "tensor(uint8)", [size, size, 3])]
            and [(tensor.name, tensor.type, list(tensor.shape[1:])) for tensor in outputs]
            == [(OUTPUT_NAME, "tensor(float)", [count])]
            and not isinstance(inputs[0].shape[0], int)
        )
        got = " -> ".join(", ".join(f"{t.name} {t.type} {t.shape}" for t in side[:9]) for side in (inputs, outputs))
    except Exception as error:  # names that are not UTF-8; the runtime's exceptions have no public base class
        fits, got = False, str(error)
    if not fits:
        raise ModelSignatureError(
            f"{path} is no mask classifier: expected {expected} with N free, got {shortened(got, 500)};"
            " make one with `maskcheck-export convert`",
            path=path,
        )
