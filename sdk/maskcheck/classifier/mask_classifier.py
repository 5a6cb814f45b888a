"""The mask classifier: face crops in, probabilities of the labels out; with schema 2, where the face is, too."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.execution import plan_execution
from maskcheck.classifier.model import INPUT_NAME, ModelInfo, hash_model
from maskcheck.classifier.model_checks import checked_look, read_info
from maskcheck.classifier.second_look import Combination, Look
from maskcheck.pictures.crops import Crops, crop_face
from maskcheck.pictures.decoding import BGRImage
from maskcheck.runtime.binding import BOUND, BoundRunner, padded
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU, Provider

if TYPE_CHECKING:
    from maskcheck.stages import StageDescription


class MaskClassifier:
    """A mask classifier on ONNX Runtime. Labels, input size and crop margin come from the model file.

    The model is loaded on first use in each process. Threads may share an instance, and it can be pickled.

    If ``maskcheck doctor --tune`` saved a choice for this model on this machine, it replaces the defaults. It is not
    used with a `device` other than ``auto``, with `providers`, or with a `precision` other than ``auto``.

    Give model files of strangers a `timeout` and a `max_memory`. Run them in a process that may be killed, too: a
    single long operation of a model cannot be interrupted.

    Args:
        model: An ONNX file made by ``maskcheck-export``; ``small`` for the small embedded model, several times as fast
            and a little less accurate; by default, the large embedded one. A model with weights in other files is
            refused. A file that has the name of an embedded model is given as ``./small`` or as a Path.
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        providers: ONNX Runtime execution providers in order of preference, instead of `device`.
        threads: Threads of the session, at most 512; by default, the CPUs that the process may use.
        batch_size: Most faces in one run of the session, at most 1024; by default, 32. Memory grows with it.
        precision: ``stored`` runs the file as it is. ``int8`` does, too, but refuses a file of another precision.
            ``float32`` computes an int8 file in float32. ``auto`` does that where int8 is slow, inexact or missing: on
            CUDA and CoreML, on CPUs without int8 instructions, and, if weights have more than 7 bits, on CPUs whose
            best ones are AVX2.
        timeout: Seconds that loading the model may take, and each run. By default, the embedded model has no limit.
            Other models have 60 seconds to load and 60 for the first run on up to 32 faces, and no limit for later
            runs. A provider that compiles for longer, as TensorRT may, needs a longer timeout.
        max_memory: Bytes that runs on the CPU may take; by default, there is no limit. All classifiers of the process
            that have a limit share it, so it must be the same for all. The weights come on top, up to a few times the
            size of the file. It cannot be used in a process that was forked after a first use.

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
        self._arguments: dict[str, Any] = {
            "model": model,
            "device": device,
            "providers": providers,
            "threads": threads,
            "batch_size": batch_size,
            "precision": precision,
            "timeout": timeout,
            "max_memory": max_memory,
        }
        plan = plan_execution(
            model,
            SessionConfig(device, providers, threads),
            precision=precision,
            batch_size=batch_size,
            timeout=timeout,
            max_memory=max_memory,
        )
        self._session = plan.session
        self._bound = BoundRunner(plan.session)
        self._tuned = plan.tuned
        self.batch_size = plan.batch_size

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._arguments), ()  # made anew: another machine may have another tuned choice

    @property
    def path(self) -> str:
        """The model file."""
        return str(self._session.path)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model file as it was loaded, in hexadecimal; loads the model.

        Raises:
            ModelIntegrityError: The embedded file is not the released one.
            RuntimeUnavailable, ModelError: It cannot be loaded.
        """
        if self._session.trusted:
            return hash_model(self._session.path)
        return self._session.sha256 or hash_model(self._session.path)

    @cached_property
    def info(self) -> ModelInfo:
        """What the model file says about itself; loads the model.

        Raises:
            RuntimeUnavailable: No usable ONNX Runtime, or the requested provider is not active.
            ModelError: The file is damaged, has no description, is no mask classifier, cannot run in the requested
                precision, or takes too long to load.
        """
        _ = self.sha256  # a changed embedded file is refused before it is loaded
        return read_info(self._session.session, self._session.path, precision=self._session.precision)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each probability, in order; loads the model."""
        return self.info.labels

    @property
    def second_look(self) -> Mapping[str, Combination] | None:
        """For detectors by name, how their scores combine with :attr:`Look.face`; loads the model.

        None for a model of schema 1, whose looks have probabilities alone.
        """
        return self.info.second_look

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers that are active in the session, in order; loads the model."""
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

        ``tuned``: the choice of ``maskcheck doctor --tune``. ``asked``: the argument `precision`. ``file``: the model
        file, which runs in one precision only. ``cpu``: the instructions of the CPU. ``provider``: the provider.
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
        """Load the model now, so that the first call does not wait and errors show at once.

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
        from maskcheck.stages import StageDescription  # here, as a classifier alone starts faster without it

        return StageDescription(
            model=self._session.path.name,
            model_sha256=self.sha256,
            providers=self.providers,
            threads=self.threads,
            precision=self.precision,
        )

    def __call__(self, crops: Crops) -> NDArray[np.float32]:
        """Classify any number of face crops, at most ``batch_size`` in one run.

        Args:
            crops: uint8 (N, S, S, 3), RGB, where S is ``info.input_size``.

        Returns:
            float32 (N, C): probability of each of the C labels.

        Raises:
            ValueError: Another shape or dtype.
            ModelOutputError: The model gives something else than probabilities.
            ModelTimeout: It takes too long.
            RuntimeUnavailable, ModelError: It cannot be loaded or run.
        """
        return self.look(crops).probabilities

    def look(self, crops: Crops) -> Look:
        """Classify crops, and say of each whether it shows a face, and where: all in the same runs.

        Args:
            crops: uint8 (N, S, S, 3), RGB, where S is ``info.input_size``; any number.

        Returns:
            What the model says of the N crops; with a model of schema 1, the probabilities of the labels alone.

        Raises:
            ValueError: Another shape or dtype.
            ModelOutputError: The model gives something else than probabilities and boxes.
            ModelTimeout: It takes too long.
            RuntimeUnavailable, ModelError: It cannot be loaded or run.
        """
        size = self.info.input_size
        if not isinstance(crops, np.ndarray) or crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
            got = f"{crops.dtype} of shape {crops.shape}" if isinstance(crops, np.ndarray) else type(crops).__name__
            raise ValueError(f"crops: expected uint8 of shape (N, {size}, {size}, 3) RGB, got {got}")
        if not len(crops):
            return Look.nothing(len(self.labels), says_face=self.second_look is not None)
        return Look.joined(
            [self._run(crops[start : start + self.batch_size]) for start in range(0, len(crops), self.batch_size)]
        )

    def _run(self, batch: Crops) -> Look:
        provider = self._session.active_providers[0]
        filled = batch if provider == CPU else padded(batch, self.batch_size)
        outputs = self._bound.run(filled) if provider in BOUND else self._session.run({INPUT_NAME: filled})
        named = dict(zip(self._output_names, outputs, strict=True))
        return checked_look(named, self.info, len(filled), len(batch), self.path)

    @cached_property
    def _output_names(self) -> list[str]:
        return [output.name for output in self._session.session.get_outputs()]

    def crop(self, image: BGRImage, boxes: NDArray[np.floating]) -> Crops:
        """Cut faces out of a picture as the model was trained to see them.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels, half-open; each must overlap the picture.

        Returns:
            uint8 (N, S, S, 3), RGB.
        """
        size, margin = self.info.input_size, self.info.crop_margin
        crops = np.empty((len(boxes), size, size, 3), np.uint8)
        for crop, box in zip(crops, boxes, strict=True):
            crop_face(image, box, size=size, margin=margin, out=crop)
        return crops
