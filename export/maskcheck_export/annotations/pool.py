"""The questions about annotations: faces that they may lack, and annotated boxes that models contradict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.detectors.api import Detections, Detector
from maskcheck.detectors.fusion import concatenate, one_box_per_face, overlap, shared_areas
from maskcheck.detectors.guard import run_detector
from maskcheck.errors import ImageError
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.pictures.box import Box
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.annotations.overlay import name_of

COVERED = 0.35
"""Overlap (intersection over union) with an annotated box from which a detected box is no further face."""

SAME_FACE = 0.4
"""Overlap from which boxes of two detectors are on the same face."""

LEAST_BELIEF = 0.05
"""Score of a detector that found nothing at a place: it lowers the mean of the detectors, but does not make it 0."""

SURE = 0.9
"""Least probability of another label at which the classifier contradicts an annotation."""

LARGE_ENOUGH = 16
"""Shorter side of an annotated box, in pixels, from which detectors should find the face."""

FOUND = 0.2
"""Least score of a detected box, with an overlap of ``FITS`` or more, at which a detector finds an annotated face."""

FITS = 0.5

_INSIDE = 0.5  # share of a box inside an ignored region from which nothing is asked about it
_EVERY = 50  # pictures between two lines of progress


@dataclass(frozen=True)
class Question:
    """A box that somebody should look at.

    Attributes:
        picture: Path of the picture below ``images/``.
        box: Where to look.
        score: How much speaks for a face that the annotations lack; else, how much speaks against the annotation.
        annotated: The label that is annotated; "" for a face that the annotations may lack.
        text: The question, in words.
    """

    picture: str
    box: Box
    score: float
    annotated: str
    text: str


@dataclass(frozen=True)
class Pool:
    """The questions about a data set, each kind by falling score.

    Attributes:
        missed: Boxes that detectors find and no annotation covers.
        labels: Annotated boxes of which the classifier is sure that they have another label.
        places: Annotated boxes, large enough, at which no detector finds a face.
        skipped: A line for each picture that cannot be read.
    """

    missed: tuple[Question, ...]
    labels: tuple[Question, ...]
    places: tuple[Question, ...]
    skipped: tuple[str, ...]


def ask(
    pictures: Sequence[AnnotatedPicture],
    folder: Path,
    *,
    detectors: Mapping[str, Detector],
    classifier: Classifier,
    least_score: float,
    report: Callable[[str], None],
) -> Pool:
    """Run detectors and a classifier on annotated pictures, and ask about what does not agree.

    Args:
        pictures: The pictures; what is annotated as an ignored region is not asked about.
        folder: Their folder, which holds ``images/``.
        detectors: By name. Give them options with which they find as much as they can.
        classifier: Gives the labels of faces.
        least_score: Least score of a face that the annotations may lack.
        report: Called with a line of progress.

    Raises:
        PluginError: A detector failed.
    """
    missed: list[Question] = []
    labels: list[Question] = []
    places: list[Question] = []
    skipped: list[str] = []
    for number, picture in enumerate(pictures, 1):
        if number % _EVERY == 0:
            report(f"{number} of {len(pictures)} pictures")
        try:
            pixels = load_image(picture.path).pixels
        except ImageError as error:
            skipped.append(str(error))
            continue
        name = name_of(picture, folder)
        found = [run_detector(detector, pixels, name=of) for of, detector in detectors.items()]
        missed += _missed(name, picture, pixels, found, least_score)
        contradicted = list(_contradicted_labels(name, picture, pixels, classifier))
        labels += contradicted
        boxes = {question.box for question in contradicted}
        places += [question for question in _contradicted_places(name, picture, found) if question.box not in boxes]
    return Pool(_ranked(missed), _ranked(labels), _ranked(places), tuple(skipped))


def belief(boxes: NDArray[np.float32], found: Sequence[Detections]) -> NDArray[np.float64]:
    """How much several detectors together believe in boxes.

    Args:
        boxes: (N, 4), ``x1, y1, x2, y2``.
        found: What each detector found.

    Returns:
        float64 (N,), in [0, 1]: the geometric mean over the detectors of the highest score of a box on the same face.
    """
    scores = [
        np.where(overlap(boxes, of.boxes) >= SAME_FACE, of.scores, 0).max(axis=1, initial=LEAST_BELIEF) for of in found
    ]
    return np.asarray(np.exp(np.log(np.array(scores, np.float64)).mean(axis=0)), np.float64)


def _ranked(questions: Sequence[Question]) -> tuple[Question, ...]:
    return tuple(sorted(questions, key=lambda question: -question.score))


def _missed(
    name: str, picture: AnnotatedPicture, pixels: BGRImage, found: Sequence[Detections], least_score: float
) -> Iterator[Question]:
    pooled = one_box_per_face(
        concatenate([Detections(of.boxes, of.scores) for of in found]), pixels.shape[1], pixels.shape[0]
    )
    new = ~_covered(pooled.boxes, picture)
    for box, score in zip(pooled.boxes[new], belief(pooled.boxes[new], found), strict=True):
        if score >= least_score:
            yield Question(name, _box(box), float(score), "", "a face that is not annotated?")


def _covered(boxes: NDArray[np.float32], picture: AnnotatedPicture) -> NDArray[np.bool_]:
    """Which boxes are on an annotated face, or in an ignored region."""
    annotated = picture.boxes.astype(np.float32)
    covered = overlap(boxes, annotated).max(axis=1, initial=0) >= COVERED
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for region in annotated[picture.ignored]:
        covered |= shared_areas(boxes, region) >= _INSIDE * areas
    return np.asarray(covered, np.bool_)


def _contradicted_labels(
    name: str, picture: AnnotatedPicture, pixels: BGRImage, classifier: Classifier
) -> Iterator[Question]:
    asked = [
        (box, classifier.labels.index(label))
        for box, label in zip(picture.boxes.astype(np.float32), picture.labels, strict=True)
        if label in classifier.labels
    ]
    for start in range(0, len(asked), classifier.batch_size):
        part = asked[start : start + classifier.batch_size]
        rows = classifier(classifier.crop(pixels, np.array([box for box, _ in part])))
        for (box, annotated), row in zip(part, rows, strict=True):
            best = int(row.argmax())
            if best != annotated and row[best] >= SURE:
                label, other = classifier.labels[annotated], classifier.labels[best]
                yield Question(name, _box(box), float(row[best]), label, f"annotated {label}; the model: {other}")


def _contradicted_places(name: str, picture: AnnotatedPicture, found: Sequence[Detections]) -> Iterator[Question]:
    for box, label, ignored in zip(picture.boxes.astype(np.float32), picture.labels, picture.ignored, strict=True):
        if ignored or (box[2:] - box[:2]).min() < LARGE_ENOUGH:
            continue
        best = max(float(of.scores[overlap(box[None], of.boxes)[0] >= FITS].max(initial=0)) for of in found)
        if best < FOUND:
            yield Question(name, _box(box), 1 - best, label, f"annotated {label}; no detector finds a face")


def _box(corners: NDArray[np.float32]) -> Box:
    x1, y1, x2, y2 = np.round(corners.astype(np.float64), 1).tolist()
    return x1, y1, x2, y2
