"""Libraries that read the ONNX file: ONNX Runtime, OpenCV DNN and OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from maskcheck import __version__
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import INPUT_NAME, OUTPUT_NAME
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.installed import import_runtime
from maskcheck_bench.measuring.bare_session import open_bare_session
from maskcheck_bench.scenarios.peers.peer import OWN, OWN_FLOAT32, CannotRun, Classify, Peer, Probabilities


def load_maskcheck(classifier: MaskClassifier) -> Peer:
    """The pipeline's classifier itself, with its checks: the others are compared with it."""
    return Peer(lambda _: classifier, f"maskcheck {__version__}", classifier.info.precision)


def load_onnxruntime(classifier: MaskClassifier) -> Peer:
    """A bare session with the model file, on the providers that the pipeline uses."""
    session = open_bare_session(classifier)

    def classify(crops: Crops) -> Probabilities:
        return np.asarray(session.run([OUTPUT_NAME], {INPUT_NAME: crops})[0])

    return Peer(lambda _: classify, f"onnxruntime {import_runtime().__version__}", classifier.info.precision)


def load_opencv(classifier: MaskClassifier) -> Peer:
    """OpenCV's DNN module on the CPU, with the whole float32 graph, which scales its uint8 input itself."""
    import cv2

    cv2.setNumThreads(classifier.threads)
    content = _float32(classifier)
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))

    def classify(crops: Crops) -> Probabilities:
        network.setInput(crops)
        return np.array(network.forward(OUTPUT_NAME), np.float32)  # a copy: the network reuses its buffer

    return Peer(lambda _: classify, f"opencv {cv2.__version__}", "float32", OWN_FLOAT32)


def load_openvino_float32(classifier: MaskClassifier) -> Peer:
    """OpenVINO on the CPU in float32."""
    return _load_openvino(classifier, _float32(classifier), "float32", OWN_FLOAT32)


def load_openvino_bf16(classifier: MaskClassifier) -> Peer:
    """OpenVINO on the CPU in bfloat16.

    Raises:
        CannotRun: This CPU has no bfloat16 arithmetic, so OpenVINO would run in float32.
    """
    return _load_openvino(classifier, _float32(classifier), "bf16", OWN_FLOAT32)


def load_openvino_int8(classifier: MaskClassifier) -> Peer:
    """OpenVINO on the CPU in int8, and in its default arithmetic for the rest: bfloat16 where the CPU has it.

    Raises:
        CannotRun: The model is not quantised.
    """
    import onnx

    from maskcheck_bench.scenarios.peers.dequantise import is_quantised

    if not is_quantised(onnx.load(classifier.path)):
        raise CannotRun(f"{Path(classifier.path).name} is not quantised; give the int8 file as the model")
    return _load_openvino(classifier, Path(classifier.path).read_bytes(), "int8", OWN)


def _load_openvino(classifier: MaskClassifier, content: bytes, precision: str, weights: str) -> Peer:
    import openvino

    core = openvino.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise CannotRun("this CPU has no bfloat16 arithmetic")
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": classifier.threads,
    }
    if precision != "int8":
        settings["INFERENCE_PRECISION_HINT"] = {"float32": "f32"}.get(precision, precision)
    size = classifier.info.input_size

    def prepare(batch: int) -> Classify:
        model = core.read_model(content)
        model.reshape([batch, size, size, 3])  # it is fastest with fixed shapes
        request = core.compile_model(model, "CPU", settings).create_infer_request()

        def classify(crops: Crops) -> Probabilities:
            return np.array(request.infer([crops])[OUTPUT_NAME])  # a copy: the request reuses its buffer

        return classify

    return Peer(prepare, f"openvino {openvino.__version__.partition('-')[0]}", precision, weights)


def _float32(classifier: MaskClassifier) -> bytes:
    import onnx

    from maskcheck_bench.scenarios.peers.dequantise import dequantise

    content: bytes = dequantise(onnx.load(classifier.path)).SerializeToString()
    return content
