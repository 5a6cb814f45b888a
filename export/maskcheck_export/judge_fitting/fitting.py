"""Fits the judge of a detector: which of its candidates are faces, and where they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import one_box_per_face, overlap
from maskcheck.detectors.haar.detector import face_in_window
from maskcheck.detectors.haar.plain import PlainHaarDetector
from maskcheck.detectors.judge.appearance import FEATURES, appearance_features
from maskcheck.detectors.judge.judge import FURTHEST, Judge, Proposer, moved
from maskcheck.errors import ImageError
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.scoring import Ranking, Score, score_rankings
from maskcheck.pictures.decoding import load_image
from maskcheck_export.data.duplicates import Hashes, group_near_duplicates
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError

FACE, NEAR, NO_FACE = 0.5, 0.4, 0.35
"""Overlap with a face from which a candidate is one, from which it is moved to it, and below which it is none."""

_HIDDEN = 32
_DECAY = 1.0  # L2 penalty of the perceptron
_EPOCHS = 12
_RIDGE = 300.0  # L2 penalty of the regression of the moves
_MOST = 150  # candidates of a picture that are fitted on, beside those near faces; all of them are judged
LARGER = 2.5
"""Faces of crowds are small; their pictures enlarged by this teach what parts of large ones look like."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a detector proposes in one picture.

    Attributes:
        picture: Number of the annotated picture; None for a portrait, which is only learned from.
        size: Width and height of the picture, in pixels.
        proposed: The candidates.
        features: float32 (N, F).
        faces: float64 (M, 4), the annotated faces.
    """

    picture: int | None
    size: tuple[int, int]
    proposed: Detections
    features: NDArray[np.float32]
    faces: NDArray[np.float64]


def group(pictures: Sequence[AnnotatedPicture], hashes: Hashes, *, distance: int) -> list[str]:
    """Which pictures belong together: a name for each, alike for near-duplicates.

    Args:
        pictures: All readable.
        hashes: Of them.
        distance: Most bits in which the 256-bit hashes of near-duplicates differ.
    """
    samples = [Sample(one.path, (0, 0, *one.size), "", "", str(one.path), True) for one in pictures]
    return [one.group for one in group_near_duplicates(samples, hashes, distance=distance)]


def collect(pictures: Sequence[AnnotatedPicture], detector: Proposer, *, enlarge: float = 1) -> list[Candidates]:
    """What a detector proposes in each picture, after the picture was enlarged."""
    return [
        _propose(detector, _enlarged(load_image(one.path).pixels, enlarge), one.boxes * enlarge, number)
        for number, one in enumerate(pictures)
    ]


def collect_portraits(paths: Sequence[Path], detector: Proposer) -> list[Candidates]:
    """What a detector proposes in portraits: pictures of one face in which OpenCV's whole cascade finds just one.

    That face is taken for where the cascade finds it, since nobody marked it. A picture that cannot be read, or in
    which another number of faces is found, is left out.
    """
    finder = PlainHaarDetector("frontal_alt2")
    found = []
    for path in paths:
        try:
            image = load_image(path).pixels
        except ImageError:
            continue
        windows = finder.detect(image).boxes
        if len(windows) == 1:
            found.append(_propose(detector, image, face_in_window(windows).astype(np.float64), None))
    return found


def _propose(
    detector: Proposer, image: NDArray[np.uint8], faces: NDArray[np.float64], number: int | None
) -> Candidates:
    proposed = detector.propose(image)
    return Candidates(number, (image.shape[1], image.shape[0]), proposed, appearance_features(image, proposed), faces)


def _enlarged(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if factor == 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def fit(candidates: Sequence[Candidates], *, about: str) -> Judge:
    """Fit a judge.

    Args:
        candidates: Of all pictures and presets that it may learn from.
        about: What they are, in words.

    Raises:
        DataError: There are no faces among the candidates, or nothing else.
    """
    from sklearn.linear_model import Ridge
    from sklearn.neural_network import MLPClassifier

    chosen = [_some(one) for one in candidates]
    mean, spread = _scale(np.concatenate([one.features for one in chosen]))
    scaled = [(one.features - mean) / spread for one in chosen]
    near, moves = [], []
    for one, features in zip(chosen, scaled, strict=True):
        overlaps, face = _best(one.proposed.boxes, one.faces)
        close = overlaps >= NEAR
        near.append(features[close])
        moves.append(_moves(one.proposed.boxes[close], one.faces[face[close]]))
    if not sum(map(len, near)):
        raise DataError("no candidate is near an annotated face; check the boxes of the annotations")
    move = Ridge(_RIDGE).fit(np.concatenate(near), np.concatenate(moves))
    clear, right = [], []
    for one, features in zip(chosen, scaled, strict=True):
        boxes = one.proposed.boxes
        overlaps, _ = _best(moved(boxes, move.predict(features)) if len(features) else boxes, one.faces)
        told = (overlaps >= FACE) | (overlaps < NO_FACE)
        clear.append(features[told])
        right.append(overlaps[told] >= FACE)
    labels = np.concatenate(right)
    if labels.all() or not labels.any():
        raise DataError(f"{len(labels)} candidates, {labels.sum()} of them faces: a judge needs faces and others")
    told_apart = np.concatenate(clear)
    score = MLPClassifier(
        _HIDDEN, alpha=_DECAY, batch_size=min(256, len(labels)), max_iter=_EPOCHS, tol=0, random_state=42
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that more epochs could be run
        score.fit(told_apart, labels)
    return Judge(
        _unscaled(score.coefs_[0], score.intercepts_[0], mean, spread),
        np.concatenate([score.intercepts_[1][None], score.coefs_[1]]).astype(np.float32),
        _unscaled(move.coef_.T, move.intercept_, mean, spread),
        about,
    )


def cross_validate(
    pictures: Sequence[AnnotatedPicture],
    groups: Sequence[str],
    candidates: Mapping[str, Sequence[Candidates]],
    others: Sequence[Candidates],
    *,
    folds: int,
    progress: Callable[[str], None],
) -> dict[str, dict[str, Score]]:
    """Scores of each preset, every picture judged by a judge that was fitted without it and its near-duplicates.

    Args:
        pictures: The annotated pictures.
        groups: Which of them belong together.
        candidates: By preset, for each picture; what is judged, and fitted on.
        others: Further ones that are fitted on only.
        folds: Into so many parts the pictures are divided.
        progress: Is told what goes on.
    """
    found: dict[str, dict[int, Detections]] = {preset: {} for preset in candidates}
    for number, (train, test) in enumerate(_folds(groups, folds), 1):
        progress(f"fold {number} of {folds}: fitting on {len(train)} pictures")
        learned = {None, *train}
        chosen = [one for ones in (*candidates.values(), others) for one in ones if one.picture in learned]
        judge = fit(chosen, about="")
        for preset, ones in candidates.items():
            for index in test:
                judged = judge.judge(ones[index].proposed, ones[index].features)
                found[preset][index] = one_box_per_face(judged, *ones[index].size)
    return {preset: _score(pictures, detections) for preset, detections in found.items()}


def _score(pictures: Sequence[AnnotatedPicture], found: Mapping[int, Detections]) -> dict[str, Score]:
    rankings = []
    for index, picture in enumerate(pictures):
        none = np.zeros(len(picture.boxes), np.bool_)
        rankings.append(Ranking(picture.boxes, none, found[index].boxes, found[index].scores))
    return score_rankings(rankings)


def _folds(groups: Sequence[str], count: int) -> Iterator[tuple[list[int], list[int]]]:
    from sklearn.model_selection import GroupKFold

    if len(set(groups)) < count:
        raise DataError(f"{len(set(groups))} pictures that differ are too few for {count} folds")
    for train, test in GroupKFold(count, shuffle=True, random_state=42).split(groups, groups=groups):
        yield train.tolist(), test.tolist()


def _some(candidates: Candidates) -> Candidates:
    """All candidates near faces, and a fixed random choice of the others."""
    if len(candidates.proposed) <= _MOST:
        return candidates
    overlaps, _ = _best(candidates.proposed.boxes, candidates.faces)
    order = np.random.default_rng(42).permutation(len(overlaps))
    order = order[np.argsort(overlaps[order] < NO_FACE, kind="stable")][: _MOST + int((overlaps >= NO_FACE).sum())]
    return replace(candidates, proposed=candidates.proposed[order], features=candidates.features[order])


def _best(boxes: NDArray[np.float32], faces: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Overlap of each box with the face that it fits best, and which that is."""
    if not len(faces):
        return np.zeros(len(boxes), np.float32), np.zeros(len(boxes), np.intp)
    overlaps = overlap(boxes, faces.astype(np.float32))
    return overlaps.max(axis=1, initial=0), overlaps.argmax(axis=1)


def _moves(boxes: NDArray[np.float32], faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """The moves that take boxes to faces, in the form that :func:`moved` undoes."""
    sides, face_sides = boxes[:, 2:] - boxes[:, :2], faces[:, 2:] - faces[:, :2]
    shifts = (faces[:, :2] + faces[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2 / sides
    moves = np.concatenate([shifts, np.log(face_sides / sides)], axis=1)
    return np.asarray(np.clip(moves, -FURTHEST, FURTHEST), np.float64)


def _scale(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not len(features):
        features = np.zeros((1, FEATURES), np.float32)
    return features.mean(axis=0), features.std(axis=0) + np.float32(1e-6)


def _unscaled(
    slopes: NDArray[np.float64], offsets: NDArray[np.float64], mean: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Offset and slopes (1 + F, K) for features as they are, from those for scaled ones."""
    slopes = slopes / spread[:, None]
    return np.concatenate([(offsets - mean @ slopes)[None], slopes]).astype(np.float32)
