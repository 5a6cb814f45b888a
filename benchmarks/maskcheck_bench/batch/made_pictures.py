"""Many small pictures: crops of sample pictures, some of them cut off, and one that kills the process that sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from maskcheck_bench.batch.killing_detector import KILLING_SIZE

_SIDES = (120, 240)  # of a picture, in pixels
_IN_A_FOLDER = 1000


def make_pictures(folder: Path, samples: Sequence[Path], count: int, *, seed: int, bad: float) -> None:
    """Fill a folder with JPEG files, a thousand in each subfolder.

    Args:
        folder: Where; it is made.
        samples: Pictures that crops are taken of.
        count: Files.
        seed: Of the crops.
        bad: Share of the files that are no pictures: empty, cut off, or text.
    """
    random = np.random.default_rng(seed)
    pixels = [image for path in samples if (image := cv2.imread(str(path))) is not None]
    broken = set(random.choice(count, round(count * bad), replace=False).tolist())
    killer = next(number for number in random.permutation(count).tolist() if number not in broken)
    for number in range(count):
        path = folder / f"{number // _IN_A_FOLDER:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels[number % len(pixels)]
        share = random.uniform(0.5, 1.0)
        height, width = (max(1, int(side * share)) for side in image.shape[:2])
        top = int(random.integers(0, image.shape[0] - height + 1))
        left = int(random.integers(0, image.shape[1] - width + 1))
        crop = image[top : top + height, left : left + width]
        scale = int(random.integers(*_SIDES)) / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if number == killer:
            size = KILLING_SIZE
        _, encoded = cv2.imencode(".jpg", cv2.resize(crop, size, interpolation=cv2.INTER_AREA))
        content = encoded.tobytes()
        if number in broken:
            content = (b"", content[: len(content) // 4], b"this is text")[number % 3]
        path.write_bytes(content)
