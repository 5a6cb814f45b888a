"""The whole pipeline as a model of Triton's Python backend.

Where Triton runs, ``pip install "maskcheck[cpu]"`` and the package of the detector must be installed.
``config.pbtxt``, beside the folder of this file, holds the arguments of the pipeline as parameters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as backend
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskPipeline


class TritonPythonModel:
    """A model as Triton's Python backend wants it: it calls the methods below by their names."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load detector and classifier.

        Args:
            args: The configuration as JSON, the folder of the model, its version, and where this instance runs.
        """
        parameters = json.loads(args["model_config"])["parameters"]
        given = {name: value["string_value"] for name, value in parameters.items()}
        on_gpu = args["model_instance_kind"] == "GPU"
        self._pipeline = MaskPipeline(
            given["detector"],
            detector_options=json.loads(given.get("detector_options", "{}")),
            model=Path(args["model_repository"]) / args["model_version"] / given["model"],
            device=f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu",
            min_score=float(given["min_score"]) if "min_score" in given else None,
            tile=int(given["tile"]) if "tile" in given else None,
            threads=int(given["threads"]) if "threads" in given else None,
            batch_size=int(given["batch_size"]) if "batch_size" in given else None,
        )
        self._pipeline.warm_up()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Find and label the faces in the pictures of several requests, together.

        Args:
            requests: Each with ``picture``: bytes (N, 1), encoded pictures.

        Returns:
            A response for each request, with the outputs that it asks for: ``result``, bytes (N, 1), an object of the
            schema maskcheck/1 as JSON; ``num_faces``, int32 (N, 1), -1 for a picture that failed; and, filled up to the
            picture with the most faces: ``boxes``, float32 (N, F, 4), ``x1, y1, x2, y2`` in pixels; ``labels``,
            bytes (N, F); ``confidences``, float32 (N, F), of the labels; and ``scores``, float32 (N, F), of the
            detection. A request that does not ask for ``result`` fails where one of its pictures does.
        """
        pictures = [backend.get_input_tensor_by_name(request, "picture").as_numpy().ravel() for request in requests]
        try:
            results = iter(self._pipeline.batch([bytes(picture) for several in pictures for picture in several]))
            found = [[next(results) for _ in several] for several in pictures]
        except Exception as error:  # no error of one picture: the classifier cannot run, say
            failure = backend.TritonError(f"{type(error).__name__}: {error}")
            return [backend.InferenceResponse(error=failure) for _ in requests]
        return [_response(request, several) for request, several in zip(requests, found, strict=True)]

    def finalize(self) -> None:
        """End the threads of the pipeline."""
        self._pipeline.close()


def _response(request: Any, results: list[FrameResult]) -> Any:
    wanted = request.requested_output_names()
    failed = [(index, result.error) for index, result in enumerate(results) if result.error is not None]
    if failed and "result" not in wanted:
        index, error = failed[0]
        message = f"picture {index} of the request: {type(error).__name__}: {error}"
        return backend.InferenceResponse(error=backend.TritonError(message))
    tensors = outputs(results)
    return backend.InferenceResponse([backend.Tensor(name, tensors[name]) for name in tensors if name in wanted])


def outputs(results: list[FrameResult]) -> dict[str, NDArray[Any]]:
    """The outputs of the model for the N pictures of a request, by name."""
    count, most = len(results), max(map(len, results))
    boxes = np.zeros((count, most, 4), np.float32)
    labels = np.full((count, most), b"", np.object_)
    confidences, scores = np.zeros((2, count, most), np.float32)
    for row, result in enumerate(results):
        faces = len(result)
        boxes[row, :faces] = result.boxes
        labels[row, :faces] = [face.label.encode() for face in result]
        confidences[row, :faces] = [face.confidence for face in result]
        scores[row, :faces] = result.scores
    texts = [json.dumps(result.to_dict(), ensure_ascii=False).encode() for result in results]
    return {
        "result": np.array(texts, np.object_).reshape(-1, 1),
        "num_faces": np.array([[-1 if result.error else len(result)] for result in results], np.int32),
        "boxes": boxes,
        "labels": labels,
        "confidences": confidences,
        "scores": scores,
    }
