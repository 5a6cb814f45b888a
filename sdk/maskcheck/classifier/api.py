"""What a classifier is, and what it gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage


# Not checkable at run time: before Python 3.12, isinstance reads `labels`, which may load a model.
class Classifier(Protocol):
    """Labels faces. Several threads may call it at the same time, and it must be picklable.

    More members are used where a classifier has them:

    - ``warm_up() -> None`` loads what the first call would wait for, or raises a ``MaskCheckError``.
    - ``describe() -> StageDescription`` names the model file, its SHA-256, and what its session runs on; it may load
      the model.
    - ``second_look``, a mapping of names of detectors to a ``Combination``, perhaps empty: the classifier also says of
      each crop whether it shows a face, and where. Then its method ``look(crops) -> Look``, which takes crops as a call
      does, is used instead of a call. For the detectors of the mapping, the pipeline combines their scores with
      ``Look.face``, and moves their boxes to ``Look.box``. None: as without it. Reading it may load the model.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """The C labels, in the order of the probabilities. Reading them may load the model."""

    @property
    def batch_size(self) -> int:
        """Most crops in one call, 1 or more."""

    def crop(self, image: BGRImage, boxes: NDArray[np.floating], /) -> Crops:
        """Cut faces out of a picture, as the classifier takes them.

        Args:
            image: uint8 (H, W, 3), BGR; it must not be changed.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels, half-open, inside the picture.

        Returns:
            uint8 (N, ...): one crop for each box. All but N is the same for every picture.
        """

    def __call__(self, crops: Crops, /) -> NDArray[np.float32]:
        """Label crops.

        Args:
            crops: Crops as :meth:`crop` makes them, of one picture or of several, at most `batch_size`.

        Returns:
            float32 (N, C): the probabilities of the labels. Each row adds up to 1.

        Raises:
            MaskCheckError: The classifier cannot run.
        """
