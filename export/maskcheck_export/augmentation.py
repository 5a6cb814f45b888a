"""Random changes to a face crop that a camera on the street would make."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.crops import crop_face
from maskcheck.images import BGRImage
from maskcheck_export.data import Sample


def random_crop(image: BGRImage, sample: Sample, *, size: int, margin: float, rng: Generator) -> NDArray[np.uint8]:
    """Cut a face as another detector might have boxed it, and change it at random.

    Args:
        image: uint8 (H, W, 3), BGR.
        sample: The face in it.
        size: Side of the crop, in pixels.
        margin: The margin of the model.
        rng: Source of all randomness.

    Returns:
        uint8 (size, size, 3), RGB.
    """
    crop = _random_frame(image, sample, size, margin, rng)
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
    if rng.random() < 0.5:
        crop = _rotate(crop, rng)
    if rng.random() < 0.4:
        crop = _shrink_and_enlarge(crop, rng)
    if rng.random() < 0.15:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, size / 64)), np.uint8)
    if rng.random() < 0.7:
        crop = _light(crop, rng)
    if rng.random() < 0.25:
        crop = _jpeg(crop, rng)
    return crop


def _random_frame(image: BGRImage, sample: Sample, size: int, margin: float, rng: Generator) -> NDArray[np.uint8]:
    if sample.whole and rng.random() < 0.3:  # as an application does that resizes its face crops itself
        resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8)
    x1, y1, x2, y2 = sample.box
    width, height = x2 - x1, y2 - y1
    centre = np.array([x1 + x2, y1 + y2]) / 2 + rng.uniform(-0.08, 0.08, 2) * [width, height]
    half = np.array([width, height]) / 2 * rng.uniform(0.85, 1.2, 2)
    box = np.concatenate([centre - half, centre + half])
    # A whole picture has no surroundings to show: more margin would only repeat its edges.
    frame_margin = rng.uniform(0, margin) if sample.whole else margin
    return crop_face(image, box, size=size, margin=frame_margin)


def _rotate(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    size = crop.shape[0]
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(-20, 20), 1)
    matrix[0, 1] += rng.uniform(-0.12, 0.12)  # shear
    return np.asarray(cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _shrink_and_enlarge(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """A far face: few pixels, enlarged to the input size."""
    size = crop.shape[0]
    far = int(np.exp(rng.uniform(np.log(10), np.log(64))))
    small = cv2.resize(crop, (far, far), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _light(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Contrast and brightness, and a little of each for every channel (white balance)."""
    gain = rng.uniform(0.65, 1.35) * rng.uniform(0.93, 1.07, 3)
    mean = crop.mean()
    changed = (crop - mean) * gain + mean + rng.uniform(-40, 40)
    return np.asarray(np.clip(changed, 0, 255), np.uint8)


def _jpeg(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    # Encoded as if it were BGR: chroma is subsampled alike, and decoding gives the same order back.
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
