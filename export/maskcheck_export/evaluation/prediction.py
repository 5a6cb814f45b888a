"""Loads a classifier, of Keras or in ONNX, and classifies labelled faces with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskClassifier
from maskcheck.classifier.model import BOX_OUTPUT, FACE_OUTPUT, OUTPUT_NAME, hash_model
from maskcheck.classifier.second_look import Look
from maskcheck.errors import ImageError
from maskcheck.pictures.crops import Crops, crop_face
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.runs import load_run

Classify: TypeAlias = Callable[[Crops], NDArray[np.float32]]
"""From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C)."""

LookAt: TypeAlias = Callable[[Crops], Look]
"""From uint8 crops (B, S, S, 3) RGB to all that a classifier says of them."""

BATCH = 64
"""Most faces that are classified at once; bounds memory."""


@dataclass(frozen=True)
class Classifier:
    """A classifier, and the form of its input and output.

    Attributes:
        path: The file.
        labels: Label of each output, in order.
        size: Side S of the square input, in pixels.
        margin: Crop margin, as a share of the longer side of a face box.
        trained_on: Counts of its training faces, in words.
        classify: From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C).
    """

    path: Path
    labels: tuple[str, ...]
    size: int
    margin: float
    trained_on: str
    classify: Classify

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hash_model(self.path)


def restrict(classifier: Classifier, labels: Sequence[str]) -> Classifier:
    """A classifier that decides among some of the labels: their probabilities are scaled to add up to 1.

    Args:
        classifier: The classifier.
        labels: Two or more of its labels.

    Raises:
        DataError: There are fewer than two labels.
    """
    if len(labels) < 2:
        raise DataError(f"expected two labels or more to decide among, got {', '.join(labels) or 'none'}")
    columns = [classifier.labels.index(label) for label in labels]

    def classify(crops: Crops) -> NDArray[np.float32]:
        chosen = classifier.classify(crops)[:, columns]
        return np.asarray(chosen / chosen.sum(axis=1, keepdims=True), np.float32)

    return replace(classifier, labels=tuple(labels), classify=classify)


def load_classifier(path: Path) -> Classifier:
    """Load an ``.onnx`` file, or a ``.keras`` file in the folder of its training.

    Raises:
        DataError: There is no such file, it has another suffix, or it does not load; or a ``.keras`` file is not in the
            folder of its training, which records its labels and crops.
        MaskCheckError: ONNX Runtime is not usable, or the ONNX file is not a mask classifier.
    """
    if path.suffix.lower() == ".onnx":
        onnx = MaskClassifier(path, device="cpu", precision="stored")
        info = onnx.info
        return Classifier(path, info.labels, info.input_size, info.crop_margin, info.trained_on, onnx)
    if path.suffix.lower() != ".keras":
        raise DataError(f"expected a model file, .onnx or .keras, got {path}")
    if not path.is_file():
        raise DataError(f"no model file {path}")
    run = load_run(path.parent)

    import keras

    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises errors of many classes on a damaged file
        raise DataError(f"Keras cannot load {path}: {error}") from error
    return Classifier(
        path,
        run.settings.labels,
        run.settings.input.size,
        run.settings.input.margin,
        run.trained_on,
        labels_by(network),
    )


def read_faces(samples: Iterable[Sample], skipped: list[str] | None = None) -> Iterator[tuple[Sample, BGRImage]]:
    """Each sample with its picture, uint8 (H, W, 3) BGR; consecutive samples of one picture need one decoding.

    Args:
        samples: Labelled faces.
        skipped: If given, faces of a picture that cannot be read are left out, and a line is added to this list.

    Raises:
        ImageError: A picture cannot be read, and `skipped` is not given.
    """
    for path, faces in groupby(samples, key=lambda sample: sample.path):
        try:
            picture = load_image(path).pixels
        except ImageError as error:
            if skipped is None:
                raise
            skipped.append(f"{error} (faces left out: {sum(1 for _ in faces)})")
            continue
        for sample in faces:
            yield sample, picture


def labels_by(network: Any) -> Classify:
    """The labels alone, of a Keras model that :func:`build_network` built."""

    def classify(crops: Crops) -> NDArray[np.float32]:
        return np.asarray(network.predict_on_batch(crops)[OUTPUT_NAME], np.float32)

    return classify


def looks_by(network: Any) -> LookAt:
    """All outputs of a Keras model that :func:`build_network` built with a second look."""

    def look(crops: Crops) -> Look:
        outputs = network.predict_on_batch(crops)
        return Look(outputs[OUTPUT_NAME], outputs[FACE_OUTPUT][:, 0], outputs[BOX_OUTPUT])

    return look


def look_all(look: LookAt, samples: Sequence[Sample], *, size: int, margin: float) -> Look:
    """What a classifier with a second look says of samples, cut out as the SDK does.

    Args:
        look: The method of a ``MaskClassifier``, or the function that :func:`looks_by` makes of a Keras model.
        samples: N samples, 1 or more.
        size: Side S of a crop, in pixels.
        margin: Crop margin, as a share of the longer side of a box.

    Raises:
        ImageError: A picture cannot be read.
        DataError: The model has no second look.
    """
    looks = [look(batch) for batch in in_batches(read_crops(samples, size=size, margin=margin))]
    if any(part.face is None for part in looks):
        raise DataError("the model has no second look: no outputs face and box")
    return Look.joined(looks)


def in_batches(crops: Iterable[NDArray[np.uint8]]) -> Iterator[Crops]:
    """Crops, each uint8 (S, S, 3), in batches of at most ``BATCH``; read when they are needed."""
    remaining = iter(crops)
    for batch in iter(lambda: list(islice(remaining, BATCH)), []):
        yield np.stack(batch)


def classify_all(classify: Classify, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The probabilities of crops, in batches of at most 64.

    Args:
        classify: From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C): a ``MaskClassifier``, or the
            function that :func:`labels_by` makes of a Keras model.
        crops: N crops, uint8 (S, S, 3) RGB; read when they are needed.

    Returns:
        float32 (N, C).

    Raises:
        DataError: There is no crop.
    """
    batches = [classify(batch) for batch in in_batches(crops)]
    if not batches:
        raise DataError("there is no readable face to classify")
    return np.concatenate(batches)


def predict(classify: Classify, samples: Sequence[Sample], *, size: int, margin: float) -> NDArray[np.float32]:
    """The probabilities of labelled faces, cut out as the SDK does.

    Args:
        classify: As for :func:`classify_all`.
        samples: N labelled faces.
        size: Side S of a crop, in pixels.
        margin: Crop margin, as a share of the longer side of a face box.

    Returns:
        float32 (N, C).

    Raises:
        ImageError: A picture cannot be read.
        DataError: There is no sample.
    """
    return classify_all(classify, read_crops(samples, size=size, margin=margin))


def read_crops(samples: Iterable[Sample], *, size: int, margin: float) -> Iterator[NDArray[np.uint8]]:
    """The crops of labelled faces, cut out as the SDK does, uint8 (S, S, 3) RGB.

    Raises:
        ImageError: A picture cannot be read.
    """
    for sample, picture in read_faces(samples):
        yield crop_face(picture, np.array(sample.box), size=size, margin=margin)
