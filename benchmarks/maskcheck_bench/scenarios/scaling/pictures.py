"""Pictures to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck import ImageError, MaskPipeline
from maskcheck.pictures.decoding import BGRImage, load_image

MOST = 32
"""Pictures that are used at most, so that a large folder takes neither all memory nor all day."""

STREAMED = 24
"""Pictures in a stream at least: the first ones wait for its workers, and the last ones for the classifier."""

_CELL = (512, 512)  # height and width of a picture in the mosaic, in pixels


@dataclass(frozen=True, eq=False)
class Pictures:
    """The first pictures that can be read.

    Attributes:
        files: Their paths.
        images: Their pixels, in the same order.
    """

    files: tuple[str, ...]
    images: tuple[BGRImage, ...]


def read_pictures(pipeline: MaskPipeline, files: Sequence[str], *, most: int = MOST) -> Pictures:
    """Decode the first pictures, `most` at most; those that cannot be read are left out.

    Raises:
        ImageError: None of them can be read.
    """
    read = list(_read(pipeline, files[:most]))
    if not read:
        raise ImageError(f"none of {', '.join(files[:most])} can be read")
    return Pictures(tuple(file for file, _ in read), tuple(image for _, image in read))


def read_for_stream(pipeline: MaskPipeline, files: Sequence[str]) -> Pictures:
    """Decode the first pictures, and repeat them until there are enough for a stream.

    Raises:
        ImageError: None of them can be read.
    """
    pictures = read_pictures(pipeline, files)
    times = -(-STREAMED // len(pictures.files))
    return Pictures(pictures.files * times, pictures.images * times)


def _read(pipeline: MaskPipeline, files: Sequence[str]) -> Iterator[tuple[str, BGRImage]]:
    for file in files:
        try:
            yield file, load_image(file, limits=pipeline.limits).pixels
        except ImageError:  # the scenario `pipeline` reports it
            continue


def mosaic(images: Sequence[BGRImage]) -> BGRImage:
    """One picture that shows all of them in rows, each as large as its cell allows."""
    columns = int(np.ceil(len(images) ** 0.5))
    cells = [_fit(image) for image in images]
    cells += [np.zeros((*_CELL, 3), np.uint8)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _fit(image: BGRImage) -> BGRImage:
    height, width = image.shape[:2]
    scale = min(_CELL[0] / height, _CELL[1] / width)
    resized = cv2.resize(image, (max(1, int(width * scale)), max(1, int(height * scale))), interpolation=cv2.INTER_AREA)
    missing = _CELL[0] - resized.shape[0], _CELL[1] - resized.shape[1]
    return np.asarray(cv2.copyMakeBorder(resized, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT), np.uint8)


def resize_to(image: BGRImage, pixels: float) -> BGRImage:
    """The same picture, enlarged or reduced to about that many pixels."""
    scale = (pixels / (image.shape[0] * image.shape[1])) ** 0.5
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def draw_boxes(image: BGRImage, count: int) -> NDArray[np.float64]:
    """Boxes at random places, from 24 pixels to half the picture, small ones as often as large ones: float64 (N, 4)."""
    rng = np.random.default_rng(0)
    height, width = image.shape[:2]
    largest = max(1.0, min(height, width) / 2)
    sides = np.exp(rng.uniform(np.log(min(24.0, largest)), np.log(largest), count))
    left, top = rng.uniform(0, width - sides), rng.uniform(0, height - sides)
    return np.stack([left, top, left + sides, top + sides], axis=1)
