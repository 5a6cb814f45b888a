"""Which candidates are faces, and where exactly: a small judge of their appearance, fitted on annotated pictures.

The score is that of a perceptron with one hidden layer; the box is moved by a linear regression on the same features,
as Girshick et al. do ("Rich feature hierarchies for accurate object detection", 2014, appendix C).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import foremost
from maskcheck.detectors.judge.appearance import FEATURE_VERSION, FEATURES, appearance_features
from maskcheck.errors import PluginError
from maskcheck.pictures.decoding import BGRImage

FILE = "judge.npz"
"""Name of the file, in the package of a detector."""


@runtime_checkable
class Proposer(Protocol):
    """A detector whose candidates a judge looks at."""

    def propose(self, image: BGRImage, /) -> Detections:
        """Candidates, several for a face perhaps, their boxes also beyond the picture.

        Args:
            image: uint8 (H, W, 3), BGR.
        """


FURTHEST = 0.4
"""Limit of a move, as a share of width and height, and of the log of a change in size."""

MOST_DESCRIBED = 10_000
"""Candidates of a picture that are looked at, the best ones; crowds have up to some 6,000. Bounds time and memory."""

_MULTIPLICATIONS = 4 * 65536
"""Up to so many, OpenBLAS uses one thread (its ``GEMM_MULTITHREAD_THRESHOLD``)."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Functions of a description; the first row of each array is the offset, the others are the slopes.

    Attributes:
        hidden: float32 (1 + F, H): of the inputs of the hidden units, which pass on what is above 0.
        score: float32 (1 + H, 1): of the log odds of a face, from the hidden units.
        move: float32 (1 + F, 4): of the move to the right and down as shares of width and height, and of the log of
            the change of both.
        about: What it was fitted on, in words.

    Raises:
        ValueError: Arrays that are none of float32, hold other than finite numbers, or do not fit each other or the
            description.
    """

    hidden: NDArray[np.float32]
    score: NDArray[np.float32]
    move: NDArray[np.float32]
    about: str

    def __post_init__(self) -> None:
        shapes = self.hidden.shape, self.score.shape, self.move.shape
        if shapes != ((1 + FEATURES, len(self.score) - 1), (len(self.score), 1), (1 + FEATURES, 4)):
            raise ValueError(f"expected a judge of {FEATURES} features, got arrays of shapes {shapes}")
        for values in (self.hidden, self.score, self.move):
            if values.dtype != np.float32 or not np.isfinite(values).all():
                raise ValueError("expected a judge of finite float32 numbers")

    def __call__(self, image: BGRImage, proposed: Detections) -> Detections:
        """Score candidates anew and move their boxes to the face, if there is one.

        Args:
            image: uint8 (H, W, 3), BGR.
            proposed: The candidates; what is close to a face becomes a box of it, so that a face may have several. Of
                very many, the foremost are looked at, and of those without an area, none.
        """
        sides = proposed.boxes[:, 2:] - proposed.boxes[:, :2]
        whole = ((sides > 0) & np.isfinite(sides)).all(axis=1)
        proposed = foremost(proposed if whole.all() else proposed[whole], MOST_DESCRIBED)
        return self.judge(proposed, appearance_features(image, proposed))

    def judge(self, proposed: Detections, features: NDArray[np.float32]) -> Detections:
        """The same, for features that were computed before: float32 (N, F)."""
        odds = _linear(self.score, np.maximum(_linear(self.hidden, features), 0))[:, 0]
        scores = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        boxes = moved(proposed.boxes, _linear(self.move, features))
        return replace(proposed, boxes=boxes, scores=scores.astype(np.float32))

    def to_bytes(self) -> bytes:
        """As a file of arrays (NumPy's ``.npz``)."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            features=np.asarray(FEATURE_VERSION),
            hidden=self.hidden,
            score=self.score,
            move=self.move,
            about=np.asarray(self.about),
        )
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Judge:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            ValueError: It is something else, or was fitted on features that are computed in another way.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                version = int(arrays["features"]) if "features" in arrays else None
                judge = cls(arrays["hidden"], arrays["score"], arrays["move"], str(arrays["about"]))
        except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds for damaged files
            raise ValueError(f"expected a fitted judge: {error}") from error
        if version != FEATURE_VERSION:
            raise ValueError(
                f"expected a judge fitted on features of version {FEATURE_VERSION},"
                f" got one of version {version or 'unknown'}; fit it again with `maskcheck-export fit-judge`"
            )
        return judge


@cache
def load_judge(package: str) -> Judge:
    """The judge that comes with a detector, as ``judge.npz`` in its package.

    Raises:
        PluginError: There is none, or it does not fit this version of the SDK.
    """
    try:
        return Judge.from_bytes(files(package).joinpath(FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise PluginError(
            f"{package}/{FILE} cannot be used: {error}; update maskcheck and the plugin together",
            plugin=package.removeprefix("maskcheck_").removeprefix("maskcheck.detectors."),
        ) from error


def moved(boxes: NDArray[np.float32], moves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (N, 4) after moves (N, 4): right and down as shares of the sides, and the logs of the sides' growth."""
    moves = np.clip(moves, -FURTHEST, FURTHEST)
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + moves[:, :2] * sides
    halves = sides * np.exp(moves[:, 2:]) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1).astype(np.float32)


def _linear(function: NDArray[np.float32], features: NDArray[np.float32]) -> NDArray[np.float32]:
    # In pieces that OpenBLAS multiplies in the calling thread: a larger product wakes its pool of threads, which then
    # spin for a while and take the cores from the other pictures of a stream.
    slopes = function[1:]
    rows = max(1, _MULTIPLICATIONS // slopes.size)
    products = [features[start : start + rows] @ slopes for start in range(0, len(features), rows)]
    return np.asarray(function[0] + np.concatenate([*products, np.empty((0, slopes.shape[1]), np.float32)]), np.float32)
