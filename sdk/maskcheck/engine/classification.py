"""The second half of the pipeline: look at the faces of several frames in shared runs of the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.classifier.second_look import Look
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.errors import PluginError
from maskcheck.pictures.crops import Crops


def classify(frames: Sequence[PreparedFrame], classifier: Classifier) -> list[Look]:
    """What the classifier says of the faces of several frames, which share runs; crops are held for one run at a time.

    Args:
        frames: The faces of each frame.
        classifier: Labels them.

    Returns:
        A look for each frame, at all its faces.

    Raises:
        MaskCheckError: The classifier cannot run, or gives something else than probabilities.
    """
    if not frames:
        return []
    counts = [len(frame) for frame in frames]
    looks = [
        look_at(classifier, np.concatenate([frames[index].crops_of(part, classifier) for index, part in run]))
        for run in _runs(counts, classifier.batch_size)
    ]
    if not looks:
        return [Look.nothing(len(classifier.labels), says_face=_takes_second_look(classifier))] * len(frames)
    together = Look.joined(looks)
    ends = np.cumsum(counts).tolist()
    return [together[end - count : end] for count, end in zip(counts, ends, strict=True)]


def look_at(classifier: Classifier, crops: Crops) -> Look:
    """What a classifier says of crops, at most ``batch_size``: labels, and the face if it has a ``second_look``.

    Raises:
        MaskCheckError: It cannot run, or gives something else than it should.
    """
    name = type(classifier).__name__
    second = _takes_second_look(classifier)
    look: Look = classifier.look(crops) if second else Look(classifier(crops))  # type: ignore[attr-defined]
    _expect(look.probabilities, "probabilities", (len(crops), len(classifier.labels)), name)
    if second:
        face = _expect(look.face, "face", (len(crops),), name)
        box = _expect(look.box, "box", (len(crops), 4), name)
        if not ((face >= 0) & (face <= 1)).all():  # NaN is not, either
            raise PluginError(f"classifier {name}: expected face in [0, 1]", plugin=name)
        if not np.isfinite(box).all():
            raise PluginError(f"classifier {name}: expected box of finite numbers", plugin=name)
    return look


def _takes_second_look(classifier: Classifier) -> bool:
    return getattr(classifier, "second_look", None) is not None


def _expect(array: object, what: str, shape: tuple[int, ...], name: str) -> NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.shape != shape:
        got = _described(array)
        raise PluginError(f"classifier {name}: expected {what} of shape {shape}, got {got}", plugin=name)
    return array


def _described(value: object) -> str:
    """Shape and type of an array, or the type of something else."""
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _runs(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, slice]]]:
    """Which faces of which frame go into each run: all in order, `size` in a run."""
    run: list[tuple[int, slice]] = []
    room = size
    for index, count in enumerate(counts):
        start = 0
        while start < count:
            taken = min(room, count - start)
            run.append((index, slice(start, start + taken)))
            start += taken
            room -= taken
            if room == 0:
                yield run
                run, room = [], size
    if run:
        yield run
