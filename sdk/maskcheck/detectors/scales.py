"""At which scales a network looks at a picture, for detectors that find faces of a limited range of sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from maskcheck.pictures.decoding import BGRImage


@dataclass(frozen=True)
class Scales:
    """Scales that are wanted, within limits.

    Attributes:
        wanted: 1 is the picture as it is, 2 doubles its sides.
        enlarged: Pixels up to which a picture is enlarged; the faces of a larger one are large enough.
        largest: Pixels that the network sees at most, which bounds its memory; a larger picture is shrunk. To be given
            to :func:`resize_for_network`, too, which rounds.
        overview: Longer side, in pixels, at which faces that fill a large picture are looked for, too; used where all
            other scales are more than twice as large. None for a detector that finds faces of any size.
    """

    wanted: tuple[float, ...]
    enlarged: int
    largest: int
    overview: int | None = None

    def of(self, width: int, height: int) -> list[float]:
        """The scales for a picture of that size, in pixels; rising, each once."""
        enlarged, largest = ((limit / (width * height)) ** 0.5 for limit in (self.enlarged, self.largest))
        scales = {min(scale, max(1.0, enlarged), largest) for scale in self.wanted}
        if self.overview is not None and min(scales) > 2 * (overview := self.overview / max(width, height)):
            scales.add(overview)
        return sorted(scales)


def resize_for_network(image: BGRImage, scale: float, *, multiple: int, largest: int) -> BGRImage:
    """A picture at a scale, its sides rounded up to multiples, as networks that halve their input want.

    Where that would be more than `largest` pixels, they are rounded down, and the longer side of a thin picture is cut
    short until it fits.

    There are few different shapes then, and a runtime prepares for each new shape. The picture is stretched a little,
    so boxes are mapped back by the ratio of each side.

    Args:
        image: uint8 (H, W, 3).
        scale: 2 doubles the sides.
        multiple: Of the sides of the result, in pixels.
        largest: Pixels that the result has at most, unless a single square of `multiple` has more.
    """
    import cv2  # here, so that detectors can be listed where OpenCV does not load

    columns, rows = _network_size(image.shape[1], image.shape[0], scale, multiple, largest)
    # Averaging areas takes eight times as long as interpolation, which sees every pixel down to half the size.
    shrinks_much = 2 * columns < image.shape[1] or 2 * rows < image.shape[0]
    method = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method), np.uint8)


def _network_size(width: int, height: int, scale: float, multiple: int, largest: int) -> tuple[int, int]:
    columns, rows = (max(1, math.ceil(side * scale / multiple)) for side in (width, height))
    most = max(1, largest // multiple**2)
    if columns * rows > most:
        columns, rows = (max(1, math.floor(side * scale / multiple)) for side in (width, height))
    if columns * rows > most:  # the shorter side is at its least
        columns, rows = min(columns, max(1, most // rows)), min(rows, max(1, most // columns))
    return columns * multiple, rows * multiple
