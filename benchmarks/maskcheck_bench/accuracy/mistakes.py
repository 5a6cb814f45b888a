"""The worst mistakes of a run: what a user would see wrong, or not at all."""

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
from maskcheck.pictures.drawing.faces import caption_of
from maskcheck_bench.accuracy.pipeline_runs import PipelineRun, rank_faces

KINDS = FALSE_BOX, WRONG_LABEL, MISSED = "false box", "wrong label", "missed"


@dataclass(frozen=True)
class Mistake:
    """A mistake.

    Attributes:
        kind: One of ``KINDS``.
        picture: The file.
        box: ``(x1, y1, x2, y2)`` in pixels: what was found, or the annotated face that was not.
        reason: What is wrong, in a few words.
        weight: The larger, the worse, among mistakes of a kind: the detection score of a false box, this times the
            confidence of a wrong label, the pixels of the shorter side of a missed face.
    """

    kind: str
    picture: Path
    box: tuple[float, float, float, float]
    reason: str
    weight: float


def find_mistakes(
    run: PipelineRun, pictures: Sequence[AnnotatedPicture], labels: Collection[str], count: int
) -> list[Mistake]:
    """The worst mistakes: of each kind the worst, in turns, sorted by kind.

    Args:
        run: Results on the pictures; what a user does not see counts as not found.
        pictures: The annotated pictures.
        labels: Labels of the annotated faces that count.
        count: Number of mistakes; fewer if there are fewer.
    """
    mistakes = sorted(
        chain.from_iterable(
            _find(tuple(result), picture, ranking, run.pipeline.min_score)
            for picture, result, ranking in zip(pictures, run.results, rank_faces(run, pictures, labels), strict=True)
        ),
        key=lambda mistake: -mistake.weight,
    )
    turns = zip_longest(*([mistake for mistake in mistakes if mistake.kind == kind] for kind in KINDS))
    worst = [mistake for mistake in chain.from_iterable(turns) if mistake is not None][:count]
    return sorted(worst, key=lambda mistake: KINDS.index(mistake.kind))


def _find(faces: Sequence[Face], picture: AnnotatedPicture, ranking: Ranking, min_score: float) -> Iterator[Mistake]:
    matches = match_boxes(ranking)
    fits = overlaps(ranking) * ranking.counts
    sides = shorter_sides(ranking.detected)
    shown = ranking.scores >= min_score
    for index in np.flatnonzero(shown).tolist():
        face, true = faces[index], matches[index]
        sure = f"{float(ranking.scores[index]):.2f}"
        if true == FALSE:
            reason = _why_false(fits[index], sure, sides[index])
            yield Mistake(FALSE_BOX, picture.path, face.box, reason, float(ranking.scores[index]))
        elif true >= 0 and picture.labels[true] in face.probabilities and picture.labels[true] != face.label:
            true_label, label = caption_of(picture.labels[true]), caption_of(face.label)
            reason = f"{true_label}, said {label} {face.confidence:.2f}, {sides[index]:.0f} px"
            weight = float(ranking.scores[index]) * face.confidence
            yield Mistake(WRONG_LABEL, picture.path, face.box, reason, weight)
    for index in np.setdiff1d(np.flatnonzero(ranking.counts), matches[shown]):
        box = ranking.annotated[index]
        side = float(shorter_sides(box[None])[0])
        reason = f"missed {caption_of(picture.labels[index])}, {side:.0f} px" + _nearest(fits[:, index], ranking.scores)
        x1, y1, x2, y2 = box.tolist()
        yield Mistake(MISSED, picture.path, (x1, y1, x2, y2), reason, side)


def _why_false(fits: NDArray[np.float64], sure: str, side: float) -> str:
    best = float(fits.max(initial=0))
    if best >= OVERLAP:
        return f"second box of a face, {sure}, {side:.0f} px"
    return f"no face, {sure}, {side:.0f} px" + (f", overlap {best:.2f}" if best else "")


def _nearest(fits: NDArray[np.float64], scores: NDArray[np.floating[Any]]) -> str:
    """The box that comes closest to a missed face, if any touches it."""
    if not fits.any():
        return ", no box"
    best = fits.argmax()
    return f", best box {scores[best]:.2f}, overlap {fits[best]:.2f}"
