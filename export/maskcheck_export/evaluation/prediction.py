"""What a classifier, of Keras or in ONNX, says of labelled faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskClassifier
from maskcheck.classifier.model import hash_model
from maskcheck.errors import ImageError
from maskcheck.pictures.crops import Crops, crop_face
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.runs import load_run

Classify: TypeAlias = Callable[[Crops], NDArray[np.float32]]
"""From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C)."""

BATCH = 64
"""Most faces that are classified at once. It bounds memory, which does not grow with the data."""


@dataclass(frozen=True)
class Classifier:
    """A classifier and what one needs to know to ask it.

    Attributes:
        path: Its file.
        labels: Label of each output, in order.
        size: Side S of the square input, in pixels.
        margin: Crop margin, as a share of the longer side of a face box.
        trained_on: The faces that it learned from, in words.
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
    """The classifier as one that decides among some of its labels: the probabilities of these, made to add up to 1.

    Args:
        classifier: It.
        labels: Two or more of its labels.

    Raises:
        DataError: Fewer than two.
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
        DataError: There is no such file, it is of another kind, or it does not load; or a ``.keras`` file does not
            lie in the folder of its training, which says its labels and crops.
        MaskCheckError: ONNX Runtime is not usable, or the ONNX file is no mask classifier.
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
    except Exception as error:  # what Keras raises on a damaged file is of any kind
        raise DataError(f"Keras cannot load {path}: {error}") from error
    return Classifier(
        path,
        run.settings.labels,
        run.settings.input.size,
        run.settings.input.margin,
        run.trained_on,
        network.predict_on_batch,
    )


def read_faces(samples: Iterable[Sample], skipped: list[str] | None = None) -> Iterator[tuple[Sample, BGRImage]]:
    """Each sample with its picture, uint8 (H, W, 3) BGR; a picture is decoded once for consecutive samples.

    Args:
        samples: Labelled faces.
        skipped: If given, the faces of a picture that cannot be read are left out, with a line in here.

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


def classify_all(classify: Classify, crops: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Probabilities of single crops, in batches of at most 64.

    Args:
        classify: From uint8 crops (B, S, S, 3) RGB to float32 probabilities (B, C): a ``MaskClassifier``, or the
            ``predict_on_batch`` of a Keras model.
        crops: N times uint8 (S, S, 3) RGB; drawn as they are needed.

    Returns:
        float32 (N, C).

    Raises:
        DataError: There is no crop.
    """
    waiting = iter(crops)
    batches = [classify(np.stack(batch)) for batch in iter(lambda: list(islice(waiting, BATCH)), [])]
    if not batches:
        raise DataError("there is no readable face to classify")
    return np.concatenate(batches)


def predict(classify: Classify, samples: Sequence[Sample], *, size: int, margin: float) -> NDArray[np.float32]:
    """Probabilities of a classifier for the crops that the SDK would cut.

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
    """The crops that the SDK would cut, uint8 (S, S, 3) RGB, one after the other.

    Raises:
        ImageError: A picture cannot be read.
    """
    for sample, picture in read_faces(samples):
        yield crop_face(picture, np.array(sample.box), size=size, margin=margin)
