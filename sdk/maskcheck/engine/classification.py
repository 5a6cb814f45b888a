"""The second half of the pipeline: label the faces of several frames in shared runs of the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.errors import PluginError


def classify(frames: Sequence[PreparedFrame], classifier: Classifier) -> list[NDArray[np.float32]]:
    """Probabilities of the faces of several frames, which share runs; crops are held for one run at a time.

    Args:
        frames: The faces of each frame.
        classifier: Labels them.

    Returns:
        float32 (N, C) for each frame.

    Raises:
        MaskCheckError: The classifier cannot run, or gives something else than probabilities.
    """
    if not frames:
        return []
    counts = [len(frame) for frame in frames]
    rows = [
        _run(classifier, np.concatenate([frames[index].crops_of(part, classifier) for index, part in run]))
        for run in _runs(counts, classifier.batch_size)
    ]
    together = np.concatenate(rows) if rows else np.empty((0, len(classifier.labels)), np.float32)
    return np.split(together, np.cumsum(counts)[:-1])


def _run(classifier: Classifier, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    probabilities = classifier(crops)
    expected = (len(crops), len(classifier.labels))
    if not isinstance(probabilities, np.ndarray) or probabilities.shape != expected:
        name = type(classifier).__name__
        got = _described(probabilities)
        raise PluginError(f"classifier {name}: expected probabilities of shape {expected}, got {got}", plugin=name)
    return probabilities


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
