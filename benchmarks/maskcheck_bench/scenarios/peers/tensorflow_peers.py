"""TensorFlow's ways to run the classifier: Keras ``predict``, a compiled graph, and LiteRT."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops
from maskcheck_bench.scenarios.peers.peer import CannotRun, Classify, Peer, Probabilities


def load_keras(classifier: MaskClassifier) -> Peer:
    """Keras ``model.predict``."""
    tensorflow = import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import load_network

    network = load_network(classifier)

    def prepare(batch: int) -> Classify:
        def classify(crops: Crops) -> Probabilities:
            return np.asarray(network.model.predict(crops, batch_size=batch, verbose=0))

        return classify

    import keras

    return Peer(
        prepare, f"keras {keras.__version__}, {_describe(tensorflow)}", "float32", network.weights, network.comparable
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

    return Peer(lambda _: classify, _describe(tensorflow), "float32", network.weights, network.comparable)


def load_litert(classifier: MaskClassifier) -> Peer:
    """LiteRT with its kernels for CPUs (XNNPACK), on the converted Keras model.

    Raises:
        CannotRun: No interpreter of LiteRT is installed.
    """
    tensorflow = import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import load_network

    interpreter, library = _interpreter(tensorflow)
    network = load_network(classifier)
    content = _convert(tensorflow, network.model)
    size = classifier.info.input_size

    def prepare(batch: int) -> Classify:
        session = interpreter(model_content=content, num_threads=classifier.threads)
        (taken,), (given,) = session.get_input_details(), session.get_output_details()
        session.resize_tensor_input(taken["index"], (batch, size, size, 3))
        session.allocate_tensors()

        def classify(crops: Crops) -> Probabilities:
            session.set_tensor(taken["index"], crops.astype(taken["dtype"]))
            session.invoke()
            return np.asarray(session.get_tensor(given["index"]))

        return classify

    return Peer(prepare, library, "float32", network.weights, network.comparable)


def import_tensorflow(threads: int) -> Any:
    """Import ``tensorflow``, to run on the CPU with that many threads.

    Raises:
        RuntimeError: It already runs with another number.
    """
    import tensorflow

    tensorflow.config.set_visible_devices([], "GPU")
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow


def _convert(tensorflow: Any, network: Any) -> bytes:
    """A Keras model in the format of LiteRT."""
    # Not from concrete functions: TensorFlow 2.21 then writes a file that takes four times as long and returns NaN.
    content: bytes = tensorflow.lite.TFLiteConverter.from_keras_model(network).convert()
    return content


def _interpreter(tensorflow: Any) -> tuple[Any, str]:
    if find_spec("ai_edge_litert") is not None:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, f"ai-edge-litert {ai_edge_litert.__version__}"
    if hasattr(tensorflow.lite, "Interpreter"):  # a coming release of TensorFlow removes it
        return tensorflow.lite.Interpreter, _describe(tensorflow)
    raise CannotRun("ai-edge-litert is not installed: pip install ai-edge-litert")


def _describe(tensorflow: Any) -> str:
    return f"tensorflow {tensorflow.__version__}"
