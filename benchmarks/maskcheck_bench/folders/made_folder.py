"""Folders of many small pictures, some of them bad."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

_SIZE = (96, 72)
_IN_A_FOLDER = 1000


def make_folder(folder: Path, count: int, *, seed: int = 0, bad: float = 0.0) -> list[Path]:
    """Fill a folder with pictures of noise, a thousand in each subfolder.

    Args:
        folder: Where; it is made.
        count: Files.
        seed: Of the noise.
        bad: Share of the files that are no pictures: empty, cut off, or text.

    Returns:
        The bad files.
    """
    random = np.random.default_rng(seed)
    broken = set(np.random.default_rng((seed, 1)).choice(count, round(count * bad), replace=False).tolist())
    made = []
    for number in range(count):
        path = folder / f"{number // _IN_A_FOLDER:03}" / f"IMG_{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.integers(0, 256, (9, 12, 3), np.uint8)
        _, encoded = cv2.imencode(".jpg", cv2.resize(noise, _SIZE))
        content = encoded.tobytes()
        if number in broken:
            content = (b"", content[: len(content) // 4], b"this is text")[number % 3]
            made.append(path)
        path.write_bytes(content)
    return made
