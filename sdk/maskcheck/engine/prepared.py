"""Frames between the two halves of the pipeline: what is known of one when it waits for its labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.classifier.second_look import Look
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage
from maskcheck.results import Timings


@dataclass(frozen=True, eq=False)
class PreparedFrame:
    """A frame that was decoded and searched for faces, or the error that prevented it. It can be pickled.

    It holds the crops of its faces, or the whole picture if that takes less memory, never more.

    Attributes:
        source: Path or address that the frame comes from, if known.
        index: Its position in the source.
        time: Seconds from the start of the source, if known.
        size: Width and height of the upright picture in pixels; ``(0, 0)`` if it was not decoded.
        notes: What was left out so far, in words.
        timings: Time that it took so far.
        boxes: float64 (N, 4), ``x1, y1, x2, y2`` in pixels, best first, inside the picture: those of faces, or those
            that the classifier is to take a second look at.
        scores: float32 (N,), detection scores.
        landmarks: float32 (N, K, 2) in pixels, if the detector gives them.
        probabilities: float32 (N, C), of the labels: of a detector that labels the faces itself, whose frames have no
            crops, or once the faces are classified.
        face: float32 (N,), the probability of a face, once the classifier has looked; None if it does not say.
        place: float32 (N, 4), where the face is relative to the box, as ``Look.box``; None if it does not say.
        crops: Crops of all faces; None if they are cut when they are classified.
        pixels: The picture, uint8 (H, W, 3), BGR, if it is still needed.
        keep_image: Whether the result is to hold `pixels`.
        searched: Whether the detector ran.
        error: Why there are no faces; None if all went well.
    """

    source: str | None = None
    index: int = 0
    time: float | None = None
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4), np.float64))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    landmarks: NDArray[np.float32] | None = None
    probabilities: NDArray[np.float32] | None = None
    face: NDArray[np.float32] | None = None
    place: NDArray[np.float32] | None = None
    crops: Crops | None = None
    pixels: BGRImage | None = None
    keep_image: bool = False
    searched: bool = True
    error: MaskCheckError | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def unlabelled(self) -> int:
        """Number of faces that need the classifier."""
        return len(self.boxes) if self.probabilities is None else 0

    @property
    def nbytes(self) -> int:
        """Bytes of the picture and the crops that it holds."""
        return sum(held.nbytes for held in (self.pixels, self.crops) if held is not None)

    def with_faces(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> PreparedFrame:
        """The frame with some of its faces.

        Args:
            chosen: Which of them: bool (N,), or their indices.
        """
        if chosen.dtype == np.bool_ and chosen.all():
            return self
        arrays = ("boxes", "scores", "landmarks", "probabilities", "face", "place", "crops")
        kept = {name: array[chosen] for name in arrays if (array := getattr(self, name)) is not None}
        return replace(self, **kept)

    def looked_at(self, look: Look) -> PreparedFrame:
        """The frame with what the classifier says of its faces; the crops are let go.

        Args:
            look: Of all its faces.
        """
        return replace(self, probabilities=look.probabilities, face=look.face, place=look.box, crops=None)

    def crops_of(self, chosen: slice, classifier: Classifier) -> Crops:
        """Crops of some of the faces, as the classifier takes them."""
        if self.crops is not None:
            return self.crops[chosen]
        assert self.pixels is not None
        return classifier.crop(self.pixels, self.boxes[chosen])
