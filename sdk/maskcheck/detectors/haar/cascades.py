"""OpenCV's cascade files, whole or cut short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.errors import PluginError

FILES = {
    "frontal_alt2": "haarcascade_frontalface_alt2.xml",
    "frontal_alt": "haarcascade_frontalface_alt.xml",
    "frontal_default": "haarcascade_frontalface_default.xml",
    "profile": "haarcascade_profileface.xml",
}
"""File of OpenCV by the name of the cascade."""

SMALLEST_WINDOW = 20
"""Side of the smallest window of any of the cascades, in pixels; the others' are larger."""

_LONGEST_KEPT = 4000
"""Longest side of a picture, in pixels, whose cascade is used again. The buffers of a cascade have the width of the
widest picture that it saw and the height of the highest: a tall strip and then a wide one would take gigabytes."""

_STAGE_COUNT = re.compile(r"<stageNum>\s*(\d+)\s*</stageNum>")
_STAGE_START = re.compile(r"<_>\s*<maxWeakCount>")

_idle: dict[tuple[str, int | None], list[Any]] = {}


def find_windows(
    grey: NDArray[np.uint8], name: str, *, stages: int, scale_factor: float, min_size: int
) -> NDArray[np.float32]:
    """Every window that passes the first stages of a cascade; many for each face.

    Args:
        grey: uint8 (H, W).
        name: Name of the cascade.
        stages: How many stages.
        scale_factor: Ratio of successive window sizes, above 1.
        min_size: Side of the smallest window, in pixels.

    Returns:
        (N, 4), ``x1, y1, x2, y2`` of squares in pixels.

    Raises:
        PluginError: The cascade cannot be loaded.
    """
    with borrowed_cascade(name, stages, longest=max(grey.shape)) as cascade:
        windows = cascade.detectMultiScale(grey, scale_factor, 0, minSize=(min_size, min_size))
    boxes = np.asarray(windows, np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes[np.lexsort(boxes.T)]  # OpenCV's threads find them in any order


@contextmanager
def borrowed_cascade(name: str, stages: int | None = None, *, longest: int = 0) -> Iterator[Any]:
    """A cascade, or its first stages, that no other thread uses meanwhile.

    Cascades keep scratch buffers, so that two threads in one of them crash; and they take long to load.

    Args:
        name: Name of the cascade.
        stages: How many stages; all, by default.
        longest: Longer side of the picture that it is for, in pixels.

    Raises:
        PluginError: OpenCV has no cascade classifier, or came without the file.
    """
    if longest > _LONGEST_KEPT:
        yield _load(name, stages)
        return
    idle = _idle.setdefault((name, stages), [])
    try:
        cascade = idle.pop()
    except IndexError:  # none yet, or all are in use
        cascade = _load(name, stages)
    yield cascade
    idle.append(cascade)


def check_cascades() -> str:
    """Which cascades there are, in words.

    Raises:
        PluginError: OpenCV has no cascade classifier, or came without one of the files.
    """
    for name in FILES:
        _load(name, None)
    return ", ".join(FILES)


def _load(name: str, stages: int | None) -> Any:
    import cv2  # here, so that the doctor can say what is missing
    import cv2.data

    if not hasattr(cv2, "CascadeClassifier"):
        raise PluginError(
            f"OpenCV {cv2.__version__} has no CascadeClassifier, which the detector haar needs;"
            ' install OpenCV 4: pip install "opencv-python>=4.10,<5"',
            plugin="haar",
        )
    path = Path(cv2.data.haarcascades) / FILES[name]
    cascade = cv2.CascadeClassifier()
    try:
        storage = cv2.FileStorage(_cut(path, stages), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        usable = cascade.read(storage.getFirstTopLevelNode())
    except (OSError, ValueError, AttributeError, cv2.error):
        usable = False
    if not usable:
        raise PluginError(
            f"OpenCV {cv2.__version__} came without a usable {path.name} (looked in {path.parent});"
            ' install the wheel from PyPI: pip install --force-reinstall "opencv-python>=4.10,<5"',
            plugin="haar",
        )
    return cascade


@cache  # a cascade is loaded for each thread at work, from one text
def _cut(path: Path, stages: int | None) -> str:
    """The content of a cascade file, without the later stages.

    Raises:
        ValueError: It does not hold the stages that it should.
    """
    # As text: to parse it for this takes ten times as long, which the start of a program would feel.
    content = path.read_text(encoding="ascii")
    count = _STAGE_COUNT.search(content)
    starts = [stage.start() for stage in _STAGE_START.finditer(content)]
    if count is None or int(count[1]) != len(starts):
        raise ValueError(f"expected {count[1] if count else 'a number of'} stages in {path}, got {len(starts)}")
    if stages is None or stages >= len(starts):
        return content
    end = content.index("</stages>", starts[-1])
    head, kept = content[: count.start(1)], content[count.end(1) : starts[stages]]
    return f"{head}{stages}{kept}{content[end:]}"
