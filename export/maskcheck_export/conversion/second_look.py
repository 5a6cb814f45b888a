"""Fits how detectors' scores combine with the second look, and measures what the second look gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.second_look import Combination, Look, absolute_boxes, log_odds
from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import one_box_per_face, overlap
from maskcheck.evaluation.face_sizes import ALL, LARGE
from maskcheck.evaluation.matching import Ranking
from maskcheck.evaluation.scoring import score_rankings
from maskcheck_export.data.samples import Sample

_MATCH = 0.5
"""Least overlap with a face at which a box, once moved, is right: as average precision counts."""

_LEAST_SCORES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
_MAY_COST = 0.0075
"""Average precision that a higher least score may cost: less than chance, on some hundreds of faces."""

_ENDLESS = 2**24
"""Sides of a picture, in pixels, whose size does not matter."""


def fit_combinations(
    look: Look, proposals: Sequence[Sample], faces: Sequence[Sample], *, least: float, report: Callable[[str], None]
) -> dict[str, Combination]:
    """Fit the combination of each detector by logistic regression: is the moved box right?

    Then the least score of a proposal that is looked at is raised, as far as the average precision allows: each look
    costs time.

    Args:
        look: What the classifier says of the N proposals.
        proposals: N proposals in pictures that the classifier was not trained on.
        faces: The annotated faces of these pictures.
        least: Least detection score of the proposals.
        report: Called with a line for each detector.

    Returns:
        By name of the detector; without a detector whose proposals are all right or all wrong.
    """
    assert look.face is not None
    right = _are_right(look, proposals, faces)
    scores = np.array([sample.proposal.score if sample.proposal else 0.0 for sample in proposals], np.float32)
    combinations: dict[str, Combination] = {}
    for name, chosen in _by_detector(proposals).items():
        if right[chosen].all() or not right[chosen].any():
            report(
                f"{name}: {len(chosen)} proposals are all right or all wrong: how its scores combine cannot be fitted"
            )
            continue
        weight, offset = _fit(log_odds(look.face[chosen]), log_odds(scores[chosen]), right[chosen])
        fitted = Combination(least, round(weight, 4), round(offset, 4))
        of_detector = [proposals[index] for index in chosen]
        combinations[name] = _raise_least(fitted, look[chosen], of_detector, scores[chosen], faces)
        looked_at = int((scores[chosen] >= combinations[name].least).sum())
        report(
            f"{name}: score = sigmoid(logit(face) + {weight:.3f} logit(detection score) {offset:+.3f}), fitted on"
            f" {len(chosen)} proposals, {int(right[chosen].sum())} of them right; {looked_at} are looked at, from"
            f" {combinations[name].least:g} on"
        )
    return combinations


def measure_second_look(
    look: Look, proposals: Sequence[Sample], faces: Sequence[Sample], combinations: Mapping[str, Combination]
) -> dict[str, Any]:
    """Average precision at an overlap of 0.5 of each detector, any label: with the second look, and alone.

    Args:
        look: What the classifier says of the N proposals.
        proposals: N proposals in pictures that the classifier was not trained on.
        faces: The annotated faces of these pictures.
        combinations: Of the detectors.

    Returns:
        ``{detector: {size: {"alone": AP50, "second_look": AP50}}}``, ready for JSON.
    """
    assert look.face is not None
    assert look.box is not None
    faces = _searched(faces, proposals)
    pictures = list(dict.fromkeys(face.path for face in faces))
    boxes = np.array([sample.box for sample in proposals], np.float64).reshape(-1, 4)
    moved = absolute_boxes(look.box, boxes)
    scores = np.array([sample.proposal.score if sample.proposal else 0.0 for sample in proposals], np.float32)
    figures: dict[str, Any] = {}
    for name, found in _by_detector(proposals).items():
        if name not in combinations:
            continue
        chosen = found[scores[found] >= combinations[name].least]
        combined = combinations[name].scores(scores[chosen], look.face[chosen])
        alone = _score(pictures, faces, [proposals[index] for index in found], boxes[found], scores[found])
        second = _score(pictures, faces, [proposals[index] for index in chosen], moved[chosen], combined)
        scored = {"alone": alone, "second_look": second}
        figures[name] = {
            size: {way: round(score[size].ap50, 4) for way, score in scored.items()} for size in (ALL, LARGE)
        }
    return figures


def _searched(faces: Sequence[Sample], proposals: Sequence[Sample]) -> list[Sample]:
    """The faces of the data sets in which detectors ran."""
    datasets = {sample.dataset for sample in proposals}
    return [face for face in faces if face.dataset in datasets]


def _by_detector(proposals: Sequence[Sample]) -> dict[str, NDArray[np.intp]]:
    names = np.array([sample.proposal.detector if sample.proposal else "" for sample in proposals])
    return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}


def _are_right(look: Look, proposals: Sequence[Sample], faces: Sequence[Sample]) -> NDArray[np.bool_]:
    """Whether each proposal, once moved, matches an annotated face."""
    assert look.box is not None
    known = _boxes_by_picture(faces)
    moved = absolute_boxes(look.box, np.array([sample.box for sample in proposals], np.float64)).astype(np.float32)
    nothing = np.empty((0, 4), np.float32)
    return np.array(
        [
            overlap(box[None], known.get(sample.path, nothing)).max(initial=0) >= _MATCH
            for box, sample in zip(moved, proposals, strict=True)
        ],
        np.bool_,
    )


def _fit(face: NDArray[np.float64], detection: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Weight and offset of the lowest mean log loss; the weight is never negative, so that surer detections stay so."""
    from scipy.optimize import minimize

    sign = np.where(right, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> float:
        odds = face + parameters[0] * detection + parameters[1]
        return float(np.logaddexp(0, -sign * odds).mean())

    fitted = minimize(loss, np.array([0.5, 0.0]), method="L-BFGS-B", bounds=[(0, 5), (-20, 20)])
    return float(fitted.x[0]), float(fitted.x[1])


def _raise_least(
    combination: Combination,
    look: Look,
    proposals: Sequence[Sample],
    scores: NDArray[np.float32],
    faces: Sequence[Sample],
) -> Combination:
    """The combination with the highest of the possible least scores that costs next to no average precision."""
    assert look.face is not None
    assert look.box is not None
    faces = _searched(faces, proposals)
    pictures = list(dict.fromkeys(face.path for face in faces))
    moved = absolute_boxes(look.box, np.array([sample.box for sample in proposals], np.float64))
    combined = combination.scores(scores, look.face)
    best, chosen = None, combination
    for least in (combination.least, *(value for value in _LEAST_SCORES if value > combination.least)):
        kept = np.flatnonzero(scores >= least)
        of_kept = [proposals[index] for index in kept.tolist()]
        precision = _score(pictures, faces, of_kept, moved[kept], combined[kept])[ALL].ap50
        best = precision if best is None else best
        if precision < best - _MAY_COST:
            break
        chosen = replace(combination, least=least)
    return chosen


def _score(
    pictures: Sequence[Path],
    faces: Sequence[Sample],
    proposals: Sequence[Sample],
    boxes: NDArray[np.float64],
    scores: NDArray[np.float32],
) -> Any:
    known = _boxes_by_picture(faces)
    places: dict[Path, list[int]] = {path: [] for path in pictures}
    for index, sample in enumerate(proposals):
        if sample.path in places:
            places[sample.path].append(index)
    rankings = []
    for path in pictures:
        chosen = np.array(places[path], np.intp)
        found = Detections(boxes[chosen].astype(np.float32).reshape(-1, 4), scores[chosen])
        found = one_box_per_face(found, _ENDLESS, _ENDLESS)
        rankings.append(Ranking(known[path], np.zeros(len(known[path]), np.bool_), found.boxes, found.scores))
    return score_rankings(rankings)


def _boxes_by_picture(faces: Sequence[Sample]) -> dict[Path, NDArray[np.float32]]:
    boxes: dict[Path, list[tuple[float, ...]]] = {}
    for face in faces:
        boxes.setdefault(face.path, []).append(face.box)
    return {path: np.array(of_picture, np.float32) for path, of_picture in boxes.items()}
