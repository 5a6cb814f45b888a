"""Fits the judge of a detector: a perceptron scores each proposal, and a regression moves its box to the face."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.fusion import overlap
from maskcheck.detectors.judge.appearance import FEATURES
from maskcheck.detectors.judge.judge import FURTHEST, Judge, moved
from maskcheck_export.errors import DataError
from maskcheck_export.judge_fitting.proposals import Proposals

_FACE = 0.5
"""Least overlap with a face at which a proposal counts as a face."""

_NEAR = 0.4
"""Least overlap with a face at which the move of a proposal to the face is fitted on."""

_NO_FACE = 0.35
"""Overlap below which a proposal counts as no face; between this and ``_FACE``, it is left out."""

_HIDDEN = 32  # hidden units of the perceptron
_DECAY = 1.0  # L2 penalty of the perceptron
_EPOCHS = 12
_RIDGE = 300.0  # L2 penalty of the regression
_MOST = 150  # proposals of a picture that are fitted on, beside those near faces; all are scored


def fit(proposals: Sequence[Proposals], *, about: str) -> Judge:
    """Fit a judge.

    Args:
        proposals: Of all pictures and presets that it is fitted on.
        about: Description of the pictures.

    Raises:
        DataError: There are no faces among the proposals, or nothing but faces.
    """
    from sklearn.linear_model import Ridge
    from sklearn.neural_network import MLPClassifier

    chosen = [_some(of_picture) for of_picture in proposals]
    mean, spread = _scale(np.concatenate([of_picture.features for of_picture in chosen]))
    scaled = [(of_picture.features - mean) / spread for of_picture in chosen]
    near, moves = [], []
    for of_picture, features in zip(chosen, scaled, strict=True):
        overlaps, face = _best(of_picture.proposed.boxes, of_picture.faces)
        close = overlaps >= _NEAR
        near.append(features[close])
        moves.append(_moves(of_picture.proposed.boxes[close], of_picture.faces[face[close]]))
    if not sum(map(len, near)):
        raise DataError("no proposal is near an annotated face; check the boxes of the annotations")
    move = Ridge(_RIDGE).fit(np.concatenate(near), np.concatenate(moves))
    clear, is_face = [], []
    for of_picture, features in zip(chosen, scaled, strict=True):
        boxes = of_picture.proposed.boxes
        overlaps, _ = _best(moved(boxes, move.predict(features)) if len(features) else boxes, of_picture.faces)
        certain = (overlaps >= _FACE) | (overlaps < _NO_FACE)
        clear.append(features[certain])
        is_face.append(overlaps[certain] >= _FACE)
    labels = np.concatenate(is_face)
    if labels.all() or not labels.any():
        raise DataError(
            f"{len(labels)} proposals, {labels.sum()} of them faces: a judge is fitted on faces and on others;"
            " add pictures"
        )
    score = MLPClassifier(
        _HIDDEN, alpha=_DECAY, batch_size=min(256, len(labels)), max_iter=_EPOCHS, tol=0, random_state=42
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns that more epochs would change the weights
        score.fit(np.concatenate(clear), labels)
    return Judge(
        _unscaled(score.coefs_[0], score.intercepts_[0], mean, spread),
        np.concatenate([score.intercepts_[1][None], score.coefs_[1]]).astype(np.float32),
        _unscaled(move.coef_.T, move.intercept_, mean, spread),
        about,
    )


def _some(proposals: Proposals) -> Proposals:
    """All proposals near faces, and a random choice, always the same, of the others."""
    if len(proposals.proposed) <= _MOST:
        return proposals
    overlaps, _ = _best(proposals.proposed.boxes, proposals.faces)
    order = np.random.default_rng(42).permutation(len(overlaps))
    order = order[np.argsort(overlaps[order] < _NO_FACE, kind="stable")][: _MOST + int((overlaps >= _NO_FACE).sum())]
    return replace(proposals, proposed=proposals.proposed[order], features=proposals.features[order])


def _best(boxes: NDArray[np.float32], faces: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The overlap of each box with the face that it overlaps most, and the index of that face."""
    if not len(faces):
        return np.zeros(len(boxes), np.float32), np.zeros(len(boxes), np.intp)
    overlaps = overlap(boxes, faces.astype(np.float32))
    return overlaps.max(axis=1, initial=0), overlaps.argmax(axis=1)


def _moves(boxes: NDArray[np.float32], faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """The moves from boxes to faces, in the form that :func:`moved` applies."""
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
    """Offset and slopes (1 + F, K) for unscaled features, from those for scaled features."""
    slopes = slopes / spread[:, None]
    return np.concatenate([(offsets - mean @ slopes)[None], slopes]).astype(np.float32)
