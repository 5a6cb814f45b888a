"""The mistakes of a run: what a user would see wrong, or not at all.

The kinds are those of TIDE (Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", 2020,
arXiv:2008.08115), with its bounds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck import Face
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.matching import FALSE, OVERLAP, Ranking, match_boxes, overlaps, shorter_sides
from maskcheck.pictures.box import Box
from maskcheck.pictures.drawing.faces import caption_of
from maskcheck_bench.accuracy.pipeline_runs import PipelineRun, rank_faces

KINDS = NO_FACE, WRONG_PLACE, SECOND_BOX, WRONG_LABEL, MISSED = (
    "no face",
    "wrong place",
    "second box",
    "wrong label",
    "missed",
)
_NEAR = 0.1
"""Intersection over union from which a false box is meant for a face."""


@dataclass(frozen=True)
class Mistake:
    """A mistake.

    Attributes:
        kind: One of ``KINDS``. A face with a box in the wrong place is not missed, too.
        picture: The file.
        box: ``(x1, y1, x2, y2)`` in pixels: what was found, or the annotated face that was not.
        reason: What is wrong, in a few words.
        weight: The larger, the worse, among mistakes of a kind: the pixels of the shorter side of a missed face, the
            detection score times the confidence of a wrong label, the detection score of another box.
    """

    kind: str
    picture: Path
    box: Box
    reason: str
    weight: float


def find_mistakes(run: PipelineRun, pictures: Sequence[AnnotatedPicture], labels: Collection[str]) -> list[Mistake]:
    """All mistakes, the worst first.

    Args:
        run: Results on the pictures; what a user does not see counts as not found.
        pictures: The annotated pictures.
        labels: Labels of the annotated faces that count.
    """
    found = (
        _find(tuple(result), picture, ranking, run.pipeline.min_score)
        for picture, result, ranking in zip(pictures, run.results, rank_faces(run, pictures, labels), strict=True)
    )
    return sorted(chain.from_iterable(found), key=lambda mistake: -mistake.weight)


def choose_worst(mistakes: Sequence[Mistake], count: int) -> list[Mistake]:
    """The worst of each kind, in turns, up to a number; sorted by kind."""
    turns = zip_longest(*([mistake for mistake in mistakes if mistake.kind == kind] for kind in KINDS))
    worst = [mistake for mistake in chain.from_iterable(turns) if mistake is not None][:count]
    return sorted(worst, key=lambda mistake: KINDS.index(mistake.kind))


def _find(faces: Sequence[Face], picture: AnnotatedPicture, ranking: Ranking, min_score: float) -> Iterator[Mistake]:
    matches = match_boxes(ranking)
    fits = overlaps(ranking) * ranking.counts
    sides = shorter_sides(ranking.detected)
    shown = np.flatnonzero(ranking.scores >= min_score)
    missed = set(np.flatnonzero(ranking.counts).tolist()) - set(matches[shown].tolist())
    near = set()
    for index in shown.tolist():
        face, true, score = faces[index], matches[index], float(ranking.scores[index])
        if true == FALSE:
            overlap = float(fits[index].max(initial=0))
            kind = SECOND_BOX if overlap >= OVERLAP else WRONG_PLACE if overlap >= _NEAR else NO_FACE
            if kind == WRONG_PLACE:
                near.add(int(fits[index].argmax()))
            about = f", overlap {overlap:.2f}" if kind == WRONG_PLACE else ""
            yield Mistake(kind, picture.path, face.box, f"{kind} {score:.2f}, {sides[index]:.0f} px{about}", score)
        elif true >= 0 and picture.labels[true] in face.probabilities and picture.labels[true] != face.label:
            true_label, label = caption_of(picture.labels[true]), caption_of(face.label)
            reason = f"{true_label}, said {label} {face.confidence:.2f}, {sides[index]:.0f} px"
            yield Mistake(WRONG_LABEL, picture.path, face.box, reason, score * face.confidence)
    for index in sorted(missed - near):
        box = ranking.annotated[index]
        side = float(shorter_sides(box[None])[0])
        reason = f"missed {caption_of(picture.labels[index])}, {side:.0f} px{_nearest(fits[:, index], ranking.scores)}"
        x1, y1, x2, y2 = box.tolist()
        yield Mistake(MISSED, picture.path, (x1, y1, x2, y2), reason, side)


def _nearest(fits: NDArray[np.float64], scores: NDArray[np.floating[Any]]) -> str:
    """The box that comes closest to a missed face, if any is meant for it."""
    if fits.max(initial=0) < _NEAR:
        return ", no box"
    best = fits.argmax()
    return f", best box {scores[best]:.2f}, overlap {fits[best]:.2f}"
