"""The whole pipeline on pictures of different sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import cv2

from maskcheck import MaskPipeline
from maskcheck.pictures.decoding import BGRImage
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.outcome import Outcome
from maskcheck_bench.measuring.turns import Work, measure_in_turns
from maskcheck_bench.scenarios.scaling.pictures import mosaic, read_pictures, resize_to

MEGAPIXELS = (0.3, 1.0, 3.0, 6.0, 12.0, 24.0)
_TOGETHER = 16  # pictures in the mosaic
_QUALITY = 90  # of JPEG


def time_sizes(pipeline: MaskPipeline, pictures: Sequence[str], effort: Effort) -> Outcome:
    """Decode a JPEG in memory, find its faces and classify them; it shows the same mosaic of pictures at every size.

    The facts are the number of faces at each size.
    """
    picture = mosaic(read_pictures(pipeline, pictures, most=_TOGETHER).images)
    faces: dict[str, int] = {}

    def find(size: float, file: bytes) -> None:
        faces[f"{size:g} megapixels"] = len(pipeline(file))

    works = [
        Work("picture to result", partial(find, size, _encode(picture, size)), 1, size)
        for size in MEGAPIXELS
        if size * 1.01e6 < pipeline.limits.max_pixels  # sides are rounded
    ]
    works[0].run()  # a whole warm-up would take too long
    return Outcome(measure_in_turns(works, replace(effort, warmup=0), group="megapixels"), {"faces": faces})


def _encode(picture: BGRImage, megapixels: float) -> bytes:
    _, data = cv2.imencode(".jpg", resize_to(picture, megapixels * 1e6), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
