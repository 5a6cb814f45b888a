"""The best picture of a face that a track had so far."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from maskcheck.pictures.decoding import BGRImage
from maskcheck.results import Face, FrameResult

_SHARP = 150.0
"""Variance of the Laplacian at which a face of 64 x 64 pixels is half as sharp as can be."""

_CLEARLY = 1.1  # a crop is replaced by one that is so many times as good: each costs a copy


class BestCrop:
    """The best picture of a face so far: large, sharp, from the front, and of a high detection score. One is kept.

    Args:
        margin: Surroundings on each side, as a share of the longer side of the face's box.
        side: Longest side of the crop, in pixels.

    Attributes:
        image: uint8 (H, W, 3), BGR, read-only, never a view of the frame; None as long as no result had an image.
        faces: The faces in it, the person's own first; boxes in pixels of the crop.
    """

    def __init__(self, margin: float, side: int) -> None:
        self.image: BGRImage | None = None
        self.faces: tuple[Face, ...] = ()
        self._margin, self._side = margin, side
        self._quality = -1.0

    def see(self, result: FrameResult, face: Face, *, anew: bool = False) -> None:
        """Cut the face out of a result's image if it is better there.

        Args:
            result: If it has no image, nothing happens.
            face: One of its faces.
            anew: Whether to forget the crop so far: it shows the face as it no longer is.
        """
        if result.image is None:
            return
        at_most = _quality_without_sharpness(face, result.size)
        least = -1.0 if anew else self._quality * _CLEARLY
        if at_most <= least:  # the usual case, which costs no look at the pixels
            return
        quality = at_most * _sharpness(result.image, face)
        if quality > least:
            self._quality = quality
            self.image, self.faces = self._cut(result.image, result, face)

    def _cut(self, image: BGRImage, result: FrameResult, face: Face) -> tuple[BGRImage, tuple[Face, ...]]:
        height, width = image.shape[:2]
        x1, y1, x2, y2 = face.box
        around = self._margin * max(x2 - x1, y2 - y1)
        left, top = max(0, math.floor(x1 - around)), max(0, math.floor(y1 - around))
        right, bottom = min(width, math.ceil(x2 + around)), min(height, math.ceil(y2 + around))
        scale = min(1.0, self._side / max(right - left, bottom - top))
        crop = image[top:bottom, left:right]
        if scale < 1:
            size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
            crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        else:
            crop = crop.copy()
        crop.flags.writeable = False
        others = [other for other in result.faces if other is not face and _overlaps(other, left, top, right, bottom)]
        return crop, tuple(_moved(each, left, top, scale) for each in (face, *others))


def _quality_without_sharpness(face: Face, size: tuple[int, int]) -> float:
    x1, y1, x2, y2 = face.box
    area = max(0.0, x2 - x1) * max(0.0, y2 - y1)
    at_the_edge = x1 <= 0 or y1 <= 0 or x2 >= size[0] or y2 >= size[1]
    score = 1.0 if face.detection_score is None else face.detection_score
    return math.sqrt(area) * score * _frontality(face) * (0.5 if at_the_edge else 1.0)


def _frontality(face: Face) -> float:
    """How central the nose is between the eyes, from 0.2 to 1; 1 without the five usual points."""
    if face.landmarks is None or len(face.landmarks) != 5:
        return 1.0
    (x1, y1), (x2, y2), (x, y) = face.landmarks[:3]  # both eyes, and the nose, in all detectors of five points
    dx, dy = x2 - x1, y2 - y1
    span = dx * dx + dy * dy
    if span == 0:
        return 0.2
    along = (dx * (x - x1) + dy * (y - y1)) / span  # 0.5 from the front
    return max(0.2, 1 - 1.6 * abs(along - 0.5))


def _sharpness(image: BGRImage, face: Face) -> float:
    x1, y1, x2, y2 = face.pixel_box
    pixels = image[max(0, y1) : y2, max(0, x1) : x2]
    if not pixels.size:
        return 0.0
    grey = cv2.cvtColor(cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return variance / (variance + _SHARP)


def _overlaps(face: Face, left: int, top: int, right: int, bottom: int) -> bool:
    x1, y1, x2, y2 = face.box
    return x1 < right and x2 > left and y1 < bottom and y2 > top


def _moved(face: Face, left: int, top: int, scale: float) -> Face:
    x1, y1, x2, y2 = face.box
    points = face.landmarks and tuple(((x - left) * scale, (y - top) * scale) for x, y in face.landmarks)
    box = ((x1 - left) * scale, (y1 - top) * scale, (x2 - left) * scale, (y2 - top) * scale)
    return replace(face, box=box, landmarks=points)
