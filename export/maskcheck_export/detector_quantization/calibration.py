"""The pictures on which the ranges of a network's activations are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.detector_quantization.network import QuantizableDetector

SIDE = 416
"""Side of the windows, in pixels: the histograms of a calibration need inputs of one shape."""

MOST_WINDOWS = {"entropy": 12, "percentile": 12}
"""Windows that these calibrations get at most: they keep all activations of all windows in memory."""


class Windows:
    """Windows of pictures, as a network sees them at the scales of all presets.

    Args:
        paths: The pictures.
        detectors: The detector with each of its presets.
    """

    def __init__(self, paths: Sequence[Path], detectors: Sequence[QuantizableDetector]) -> None:
        self._inputs = detectors[0].network_inputs
        self._windows: list[BGRImage] = []
        for path in paths:
            image = load_image(path).pixels
            seen = {picture.shape: picture for detector in detectors for picture in detector.at_scales(image)}
            self._windows.extend(map(cut_window, seen.values()))

    def __len__(self) -> int:
        return len(self._windows)

    def batches(self, most: int | None = None) -> Iterator[dict[str, NDArray[np.float32]]]:
        """What the network is fed with, a window at a time; at most so many, evenly spread."""
        count = len(self) if most is None else min(most, len(self))
        for index in np.linspace(0, len(self) - 1, count).astype(int):
            yield self._inputs([self._windows[index]])


def cut_window(picture: BGRImage) -> BGRImage:
    """The middle of a picture, ``SIDE`` pixels high and wide; a smaller picture gets black edges."""
    rows, columns = picture.shape[:2]
    top, left = max(0, (rows - SIDE) // 2), max(0, (columns - SIDE) // 2)
    middle = picture[top : top + SIDE, left : left + SIDE]
    window = np.zeros((SIDE, SIDE, 3), np.uint8)
    window[: middle.shape[0], : middle.shape[1]] = middle
    return window
