"""The second look at what a detector proposes: how sure it is a face, where the face is, and one box for each.

A classifier may say of a crop whether it shows a face, and where (see :mod:`maskcheck.classifier.second_look`). For
detectors that it knows, the detector's score then only decides what is looked at:

    prepare                  proposals from ``Combination.least`` on
    classify                 probabilities, ``face`` and ``place`` of each
    :func:`combine`          the score of each, and its box moved to the face
    :func:`best_faces`       those that are sure enough, one box for each face
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.classifier.second_look import Combination, absolute_boxes
from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import best_of_each_face
from maskcheck.engine.prepared import PreparedFrame

DEFAULT_MIN_SCORE = 0.5
"""Least combined score of a face that is reported, whatever the detector: the score is the probability of a face."""

PROPOSALS_PER_FACE = 4
"""So many times the most faces of a picture is the most proposals that are looked at."""


def find_combination(classifier: Classifier | None, detector: str) -> Combination | None:
    """How a classifier's second look combines with the scores of a detector; None if it does not.

    Args:
        classifier: It may load its model.
        detector: Name of the detector.

    Raises:
        MaskCheckError: The classifier cannot be loaded.
    """
    combinations = getattr(classifier, "second_look", None)
    found: Combination | None = combinations.get(detector) if combinations else None
    return found


def combine(frame: PreparedFrame, combination: Combination) -> PreparedFrame:
    """Proposals that were looked at, with combined scores, and boxes where the faces are; they may leave the picture.

    Args:
        frame: With ``face`` and ``place`` of each proposal.
        combination: Of the detector.
    """
    assert frame.face is not None
    assert frame.place is not None
    return replace(
        frame,
        boxes=absolute_boxes(frame.place, frame.boxes),
        scores=combination.scores(frame.scores, frame.face),
    )


def best_faces(frame: PreparedFrame, *, min_score: float, max_faces: int) -> tuple[PreparedFrame, NDArray[np.intp]]:
    """One box for each face, the best first, cut to the picture.

    Args:
        frame: Proposals with combined scores.
        min_score: Least score of a face that is kept.
        max_faces: Most faces that are kept; a note says how many were left out.

    Returns:
        The frame with its faces, and the index of each among the proposals.
    """
    sure = np.flatnonzero(frame.scores >= min_score)
    candidates = Detections(frame.boxes[sure].astype(np.float32), frame.scores[sure])
    faces, best = best_of_each_face(candidates, *frame.size)
    chosen, boxes, notes = sure[best], faces.boxes.astype(np.float64), frame.notes
    if len(chosen) > max_faces:
        notes = (*notes, f"only the best {max_faces:,} of {len(chosen):,} faces are reported; raise max_faces")
        chosen, boxes = chosen[:max_faces], boxes[:max_faces]
    return replace(frame.with_faces(chosen), boxes=boxes, notes=notes), chosen
