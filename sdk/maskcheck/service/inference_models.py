"""The models that the service offers under ``/v2``: those of ``maskcheck-export triton``, by the same names."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, INPUT_NAME, OUTPUT_NAME
from maskcheck.frames import Frame
from maskcheck.service.open_inference import TensorInfo
from maskcheck.service.service import Service


class InferenceModel(ABC):
    """A model of one input.

    Attributes:
        name: Its name.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def wanted(self) -> TensorInfo:
        """Its input."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Its outputs."""

    @property
    @abstractmethod
    def most(self) -> int:
        """Most rows of its input."""

    @abstractmethod
    async def infer(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The outputs of an input, by name.

        Raises:
            MaskCheckError: It cannot run.
        """


class PipelineModel(InferenceModel):
    """Whole pictures in, their results out, as JSON."""

    name = "maskcheck"
    wanted = TensorInfo("picture", "BYTES", (-1, 1))
    outputs = (TensorInfo("result", "BYTES", (-1, 1)),)

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def most(self) -> int:
        """As many pictures as any request may have."""
        return self._service.settings.max_pictures

    async def infer(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The results of encoded pictures, bytes (N, 1), as JSON of the schema maskcheck/1."""
        frames = map(Frame, rows.ravel())
        results = await asyncio.gather(*map(self._service.detect_or_error, frames))
        texts = np.empty((len(results), 1), np.object_)
        texts[:, 0] = [json.dumps(result.to_dict(), allow_nan=False).encode() for result in results]
        return {"result": texts}


class ClassifierModel(InferenceModel):
    """Face crops in; probabilities of the labels out, and where the face is, if the model file says so.

    Args:
        classifier: The classifier of the pipeline.
    """

    name = "maskcheck_classifier"

    def __init__(self, classifier: MaskClassifier) -> None:
        self._classifier = classifier
        self._running = asyncio.Lock()  # several runs at once would only take the CPUs from each other

    @property
    def wanted(self) -> TensorInfo:
        """The crops, RGB; loads the model."""
        size = self._classifier.info.input_size
        return TensorInfo(INPUT_NAME, "UINT8", (-1, size, size, 3))

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Probabilities of the labels, and, with a model file of schema 2, of a face, and its place."""
        labels = TensorInfo(OUTPUT_NAME, "FP32", (-1, len(self._classifier.labels)))
        if self._classifier.second_look is None:
            return (labels,)
        # Triton has no outputs without a shape of their own, so neither has this.
        return labels, TensorInfo(FACE_OUTPUT, "FP32", (-1, 1)), TensorInfo(BOX_OUTPUT, "FP32", (-1, 4))

    @property
    def most(self) -> int:
        """As many crops as a run takes."""
        return self._classifier.batch_size

    async def infer(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What the classifier says of crops, uint8 (N, S, S, 3), RGB."""
        async with self._running:
            look = await asyncio.to_thread(self._classifier.look, rows)
        tensors: dict[str, NDArray[Any]] = {OUTPUT_NAME: look.probabilities}
        if look.face is not None and look.box is not None:
            tensors |= {FACE_OUTPUT: look.face[:, None], BOX_OUTPUT: look.box}
        return tensors


def inference_models(service: Service) -> dict[str, InferenceModel]:
    """The models of a service, by name. Without a mask classifier, there is only the whole pipeline."""
    models: list[InferenceModel] = [PipelineModel(service)]
    classifier = service.pipeline.classifier
    if isinstance(classifier, MaskClassifier):
        models.append(ClassifierModel(classifier))
    return {model.name: model for model in models}
