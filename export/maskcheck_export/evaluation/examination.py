"""Classifies labelled faces, and collects what the report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.crops import crop_face
from maskcheck_export.data.listing import Listing, list_samples
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.evaluation.metrics import columns
from maskcheck_export.evaluation.prediction import Classifier, classify_all, read_faces
from maskcheck_export.evaluation.slices import Traits
from maskcheck_export.runs import RECORD, load_run


@dataclass(frozen=True)
class Examination:
    """The answers of a classifier on N labelled faces.

    Attributes:
        classifier: The classifier.
        samples: The faces.
        traits: Measurements of their pictures.
        probabilities: float32 (N, C), columns in the order of the classifier's labels.
        skipped: A line for each file, box or label that is left out, with the reason.
    """

    classifier: Classifier
    samples: tuple[Sample, ...]
    traits: tuple[Traits, ...]
    probabilities: NDArray[np.float32]
    skipped: tuple[str, ...]

    @cached_property
    def true(self) -> NDArray[np.intp]:
        """(N,), column of the label of each face."""
        return columns(self.samples, self.classifier.labels)

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """(N,), column of the predicted label."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,), probability of the predicted label."""
        return np.asarray(self.probabilities.max(axis=1), np.float32)

    @cached_property
    def mistakes(self) -> NDArray[np.intp]:
        """Indices of the faces whose predicted label is wrong, by falling confidence."""
        wrong = np.flatnonzero(self.predicted != self.true)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


def examine(classifier: Classifier, samples: Iterable[Sample], skipped: Sequence[str] = ()) -> Examination:
    """Classify labelled faces, and measure their pictures.

    Only a batch of crops and a picture are in memory at a time.

    Args:
        classifier: The classifier.
        samples: Faces of its labels; faces of one picture should follow each other.
        skipped: Lines about what was left out before; a line for each unreadable picture is added.

    Raises:
        DataError: No face can be read.
    """
    kept: list[Sample] = []
    traits: list[Traits] = []
    left_out = list(skipped)

    def crops() -> Iterator[NDArray[np.uint8]]:
        for sample, picture in read_faces(samples, left_out):
            kept.append(sample)
            traits.append(Traits.measure(picture, sample))
            yield crop_face(picture, np.array(sample.box), size=classifier.size, margin=classifier.margin)

    probabilities = classify_all(classifier.classify, crops())
    return Examination(classifier, tuple(kept), tuple(traits), probabilities, tuple(left_out))


def list_test_faces(folder: Path, labels: Sequence[str]) -> Listing:
    """The labelled faces of a data folder; or, from the folder of a training, its test faces.

    Raises:
        DataError: The folder has neither form, or holds no face of the labels.
    """
    if not (folder / RECORD).is_file():
        return list_samples(folder, labels)
    faces = load_run(folder).parts.test
    if not faces:
        raise DataError(f"{folder} kept no test faces; give a folder of labelled faces instead")
    known = tuple(face for face in faces if face.label in labels)
    if not known:
        raise DataError(f"{folder} kept no test faces of the labels {', '.join(labels)}")
    others = Counter(face.label for face in faces if face.label not in labels)
    return Listing(known, tuple(f"{folder}: {n} faces of label {label} are left out" for label, n in others.items()))
