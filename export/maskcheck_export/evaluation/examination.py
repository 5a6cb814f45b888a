"""A classifier's answers on labelled faces: what every figure, plot and table of the report is made from."""

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
    """What a classifier said of N labelled faces.

    Attributes:
        classifier: It.
        samples: The faces.
        traits: What their pictures are like.
        probabilities: float32 (N, C), columns in the order of the classifier's labels.
        skipped: A line for each file, box or label that was left out, with the reason.
    """

    classifier: Classifier
    samples: tuple[Sample, ...]
    traits: tuple[Traits, ...]
    probabilities: NDArray[np.float32]
    skipped: tuple[str, ...]

    @cached_property
    def true(self) -> NDArray[np.intp]:
        """(N,), column of each face's own label."""
        return columns(self.samples, self.classifier.labels)

    @cached_property
    def predicted(self) -> NDArray[np.intp]:
        """(N,), column of the likeliest label."""
        return np.asarray(self.probabilities.argmax(axis=1), np.intp)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,), probability of the likeliest label."""
        return np.asarray(self.probabilities.max(axis=1), np.float32)

    @cached_property
    def mistakes(self) -> NDArray[np.intp]:
        """Numbers of the faces that got another label than theirs, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.true)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


def examine(classifier: Classifier, samples: Iterable[Sample], skipped: Sequence[str] = ()) -> Examination:
    """Classify labelled faces, and measure what their pictures are like.

    One batch of crops and one picture are in memory at a time.

    Args:
        classifier: What to ask.
        samples: Faces of its labels; those of one picture should follow each other.
        skipped: What was left out before; pictures that cannot be read are added to it.

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


def find_faces(folder: Path, labels: Sequence[str]) -> Listing:
    """The labelled faces of a data folder, or those that a training kept out for testing, from its folder.

    Raises:
        DataError: The folder is neither, or holds no face of the labels.
    """
    if not (folder / RECORD).is_file():
        return list_samples(folder, labels)
    faces = load_run(folder).parts.test
    if not faces:
        raise DataError(f"{folder} kept no faces for testing; name a folder of labelled faces instead")
    known = tuple(face for face in faces if face.label in labels)
    if not known:
        raise DataError(f"{folder} kept no face of the labels {', '.join(labels)} for testing")
    others = Counter(face.label for face in faces if face.label not in labels)
    return Listing(known, tuple(f"{folder}: {n} faces of label {label} are left out" for label, n in others.items()))
