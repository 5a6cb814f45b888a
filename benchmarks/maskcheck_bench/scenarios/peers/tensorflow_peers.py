"""TensorFlow's ways to run the classifier: Keras ``predict``, a compiled graph, and LiteRT.

TensorFlow is imported when a peer is loaded, so that peers can be listed where it is missing.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops
from maskcheck_bench.scenarios.peers.race import CannotRun, Classify, Peer, Probabilities


def load_keras(classifier: MaskClassifier) -> Peer:
    """``model.predict`` as programs call it."""
    tensorflow = import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import load_network

    network = load_network(classifier)

    def prepare(batch: int) -> Classify:
        def classify(crops: Crops) -> Probabilities:
            return np.asarray(network.model.predict(crops, batch_size=batch, verbose=0))

        return classify

    import keras

    return Peer(
        prepare, f"keras {keras.__version__}, {_named(tensorflow)}", "float32", network.weights, network.comparable
    )


def load_function(classifier: MaskClassifier) -> Peer:
    """The Keras model as a ``tf.function``, traced once."""
    tensorflow = import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import load_network

    network = load_network(classifier)
    signature = [tensorflow.TensorSpec((None, *network.model.input_shape[1:]), tensorflow.uint8)]

    @tensorflow.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def serve(crops: Any) -> Any:
        return network.model(tensorflow.cast(crops, tensorflow.float32), training=False)

    def classify(crops: Crops) -> Probabilities:
        return np.asarray(serve(tensorflow.constant(crops)))

    return Peer(lambda _: classify, _named(tensorflow), "float32", network.weights, network.comparable)


def load_litert(classifier: MaskClassifier) -> Peer:
    """LiteRT with its kernels for CPUs (XNNPACK), on the converted Keras model.

    Raises:
        CannotRun: There is no interpreter.
    """
    tensorflow = import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import load_network

    interpreter, library = _interpreter(tensorflow)
    network = load_network(classifier)
    content = _convert(tensorflow, network.model)
    size = classifier.info.input_size

    def prepare(batch: int) -> Classify:
        running = interpreter(model_content=content, num_threads=classifier.threads)
        (taken,), (given,) = running.get_input_details(), running.get_output_details()
        running.resize_tensor_input(taken["index"], (batch, size, size, 3))
        running.allocate_tensors()

        def classify(crops: Crops) -> Probabilities:
            running.set_tensor(taken["index"], crops.astype(taken["dtype"]))
            running.invoke()
            return np.asarray(running.get_tensor(given["index"]))

        return classify

    return Peer(prepare, library, "float32", network.weights, network.comparable)


def import_tensorflow(threads: int) -> Any:
    """The module ``tensorflow``, on the CPU and that many threads.

    Raises:
        RuntimeError: It already runs with others.
    """
    import tensorflow

    tensorflow.config.set_visible_devices([], "GPU")
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


def _convert(tensorflow: Any, network: Any) -> bytes:
    """A Keras model in the format of LiteRT."""
    # From concrete functions, TensorFlow 2.21 makes files of this network that run four times as long and give NaN.
    content: bytes = tensorflow.lite.TFLiteConverter.from_keras_model(network).convert()
    return content


def _interpreter(tensorflow: Any) -> tuple[Any, str]:
    if find_spec("ai_edge_litert") is not None:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, f"ai-edge-litert {ai_edge_litert.__version__}"
    if hasattr(tensorflow.lite, "Interpreter"):  # leaves TensorFlow in one of its next releases
        return tensorflow.lite.Interpreter, _named(tensorflow)
    raise CannotRun("ai-edge-litert is not installed: pip install ai-edge-litert")


def _named(tensorflow: Any) -> str:
    return f"tensorflow {tensorflow.__version__}"
