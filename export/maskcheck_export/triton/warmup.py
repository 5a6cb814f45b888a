"""What the pipeline runs on before Triton calls it ready."""

from __future__ import annotations

import cv2
import numpy as np

from maskcheck.classifier.drawn_crops import draw_crops

_SIZE = (480, 640)  # height and width, in pixels: a common camera
_FACE = 160  # pixels


def picture_tensor() -> bytes:
    """A drawn picture as the data of a BYTES tensor of one element: its length, 4 bytes, little-endian, and a JPEG."""
    picture = np.full((*_SIZE, 3), 96, np.uint8)
    for column, crop in enumerate(draw_crops(2, _FACE)):
        left = 100 + column * 260
        picture[_FACE : 2 * _FACE, left : left + _FACE] = crop[..., ::-1]
    data: bytes = cv2.imencode(".jpg", picture)[1].tobytes()
    return len(data).to_bytes(4, "little") + data
