"""Faces between detector and classifier: held in bounded memory, and put together into runs of the classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage
from maskcheck.results import FrameResult, Timings


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """The faces of one picture, to be classified.

    Attributes:
        boxes: float64 (N, 4), ``x1, y1, x2, y2`` in pixels, best first, inside the picture.
        scores: float32 (N,).
        size: Width and height of the picture.
        timings: Of what was done so far.
        source: Path of the picture, if it has one.
        frame: Position in its source.
        notes: What was left out so far.
        cut: Crops of all, or None if they are cut when they are needed.
        pixels: The picture, if so.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    size: tuple[int, int]
    timings: Timings
    source: str | None
    frame: int
    notes: tuple[str, ...]
    cut: Crops | None
    pixels: BGRImage | None

    def __len__(self) -> int:
        return len(self.boxes)

    def crops(self, chosen: slice, classifier: MaskClassifier) -> Crops:
        """Crops of some of the faces: uint8 (N, S, S, 3), RGB."""
        if self.cut is not None:
            return self.cut[chosen]
        assert self.pixels is not None
        return classifier.crop(self.pixels, self.boxes[chosen])


def cut_if_smaller(pixels: BGRImage, boxes: NDArray[np.float64], classifier: MaskClassifier) -> Crops | None:
    """Crops of all faces of a picture; None if they are many and take more memory than the picture itself."""
    if len(boxes) > classifier.batch_size and len(boxes) * 3 * classifier.info.input_size**2 > pixels.nbytes:
        return None
    return classifier.crop(pixels, boxes)


def batches(found: Iterable[FoundFaces | FrameResult], limit: int) -> Iterator[list[FoundFaces | FrameResult]]:
    """Pictures together, until they or their faces are `limit`. If `found` raises, what is held is given first."""
    held: list[FoundFaces | FrameResult] = []
    faces = 0
    failure: BaseException | None = None
    source = iter(found)
    while True:
        try:
            one = next(source)
        except StopIteration:
            break
        except BaseException as error:  # of whoever gives the pictures, Ctrl-C too
            failure = error
            break
        held.append(one)
        faces += len(one) if isinstance(one, FoundFaces) else 0
        if faces >= limit or len(held) >= limit:
            yield held
            held, faces = [], 0
    if held:
        yield held
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # its traceback leads back to it


def classify(found: Sequence[FoundFaces], classifier: MaskClassifier) -> list[NDArray[np.float32]]:
    """Probabilities of the faces of several pictures, which share runs; crops are held for one run at a time.

    Args:
        found: The faces of each picture.
        classifier: What classifies them.

    Returns:
        float32 (N, C) for each picture.

    Raises:
        MaskCheckError: The classifier cannot run.
    """
    counts = [len(one) for one in found]
    rows = [
        classifier(np.concatenate([found[index].crops(part, classifier) for index, part in run]))
        for run in _runs(counts, classifier.batch_size)
    ]
    together = np.concatenate(rows) if rows else np.empty((0, len(classifier.labels)), np.float32)
    return np.split(together, np.cumsum(counts)[:-1])


def _runs(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, slice]]]:
    """Which faces of which picture go into each run: all in order, `size` in a run."""
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
