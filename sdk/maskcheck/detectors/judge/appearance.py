"""What a candidate looks like, in numbers: histograms of oriented gradients, colours, size, and the detector's score.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", 2005.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.pictures.decoding import BGRImage

_SIDE = 32
_CELL = 8
_COLOUR_CELLS = 4  # along each side
_CONTEXT = 0.15  # of the box, on each side: hair, ears and shoulders tell a face from other round things
_LEAST_ODDS = 1e-3  # scores nearer to 0 or 1 are as good as these
_SHRINK = 1.5  # a patch is taken from the picture at half its size where it is larger than this many sides

_EDGES = 324
FEATURES = _EDGES + 3 * _COLOUR_CELLS**2 + 2
"""Number of features of a box: the histograms, then colour and lightness of each cell, then size and score."""

FEATURE_VERSION = 1
"""Of how the features are computed. A judge is good for those that it was fitted on: raise this with any change of
:func:`appearance_features` that changes numbers, and fit all judges again."""

_WARPED = 32_766  # pixels along a side up to which OpenCV warps a picture
_NEIGHBOURHOOD = 512  # pixels along a side of what is warped instead of a picture that is larger


def appearance_features(image: BGRImage, proposed: Detections) -> NDArray[np.float32]:
    """Features of what is in boxes.

    Args:
        image: uint8 (H, W, 3), BGR.
        proposed: Boxes with an area; parts outside the picture repeat its border.

    Returns:
        (N, ``FEATURES``), each feature of about unit range.
    """
    strip = _patches(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb), np.uint8), proposed.boxes)
    histograms = cv2.HOGDescriptor((_SIDE, _SIDE), (2 * _CELL, 2 * _CELL), (_CELL, _CELL), (_CELL, _CELL), 9)
    starts = [(0, row) for row in range(0, len(strip), _SIDE)]
    edges = histograms.compute(np.ascontiguousarray(strip[:, :, 0]), (_SIDE, _SIDE), (0, 0), starts) if starts else ()
    step = _SIDE // _COLOUR_CELLS
    cells = strip.reshape(-1, _COLOUR_CELLS, step, _COLOUR_CELLS, step, 3).mean((2, 4), dtype=np.float32)
    cells = cells.reshape(-1, _COLOUR_CELLS**2, 3)
    light = cells[:, :, 0]
    light = (light - light.mean(1, keepdims=True)) / (light.std(1, keepdims=True) + 8)
    colour = (cells[:, :, 1:] - 128) / 30
    return np.concatenate(
        [
            np.array(edges, np.float32).reshape(-1, _EDGES) * 3,
            colour.reshape(-1, 2 * _COLOUR_CELLS**2),
            light,
            _size_and_score(proposed),
        ],
        axis=1,
    )


def _size_and_score(proposed: Detections) -> NDArray[np.float32]:
    sides = proposed.boxes[:, 2:] - proposed.boxes[:, :2]
    certain = np.clip(proposed.scores, _LEAST_ODDS, 1 - _LEAST_ODDS)
    return np.stack([np.log(sides.min(axis=1) / 20), np.log(certain / (1 - certain)) / 3], axis=1).astype(np.float32)


def _patches(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The boxes and what is around them, one below the other: (N * side, side, 3)."""
    sides = (boxes[:, 2:] - boxes[:, :2]) * (1 + 2 * _CONTEXT)
    corners = (boxes[:, :2] + boxes[:, 2:] - sides) / 2
    levels = np.clip(np.ceil(np.log2(sides.min(axis=1) / (_SIDE * _SHRINK))), 0, None).astype(int)
    halved = _halved(image, int(levels.max(initial=0)))
    levels = np.minimum(levels, len(halved) - 1)
    zooms = np.array([[half.shape[1] / image.shape[1], half.shape[0] / image.shape[0]] for half in halved])[levels]
    to_patch = np.zeros((len(boxes), 2, 3))
    to_patch[:, [0, 1], [0, 1]] = _SIDE / (sides * zooms)
    to_patch[:, :, 2] = -corners * _SIDE / sides
    strip = np.empty((len(boxes) * _SIDE, _SIDE, 3), np.uint8)
    for number, (level, matrix) in enumerate(zip(levels.tolist(), to_patch, strict=True)):
        patch = strip[number * _SIDE : (number + 1) * _SIDE]
        _warp(halved[level], matrix, patch)
    return strip


def _warp(picture: NDArray[np.uint8], matrix: NDArray[np.float64], patch: NDArray[np.uint8]) -> None:
    """Fill a patch with what `matrix` (2, 3), of scale and move only, takes to it; the picture's border goes on."""
    if max(picture.shape[:2]) > _WARPED:
        picture, matrix = _neighbourhood(picture, matrix)
    cv2.warpAffine(picture, matrix, (_SIDE, _SIDE), dst=patch, borderMode=cv2.BORDER_REPLICATE)


def _neighbourhood(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of a picture that a patch shows, shrunk where it is long, and the matrix from there to the patch."""
    scale, move = matrix[[0, 1], [0, 1]], matrix[:, 2]
    size = np.array(picture.shape[1::-1])
    start = np.clip(np.floor(-move / scale) - 2, 0, size - 1).astype(int)
    stop = np.clip(np.ceil((_SIDE - move) / scale) + 2, start + 1, size).astype(int)
    part = picture[start[1] : stop[1], start[0] : stop[0]]
    move = move + start * scale
    sides = stop - start
    if (sides > _NEIGHBOURHOOD).any():
        shorter = np.minimum(sides, _NEIGHBOURHOOD)
        method = cv2.INTER_AREA
        part = np.asarray(cv2.resize(part, (int(shorter[0]), int(shorter[1])), interpolation=method), np.uint8)
        scale = scale * sides / shorter
    return part, np.array([[scale[0], 0, move[0]], [0, scale[1], move[1]]])


def _halved(image: NDArray[np.uint8], times: int) -> list[NDArray[np.uint8]]:
    """The picture, at half its size, at a quarter and so on, while there is something to halve."""
    pictures = [image]
    while len(pictures) <= times and min(pictures[-1].shape[:2]) > 1:
        half = cv2.resize(pictures[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(half, np.uint8))
    return pictures
