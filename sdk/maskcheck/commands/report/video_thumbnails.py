"""The frames of a video that thumbnails are cut out of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from maskcheck.commands.report.reading import ShownFace
from maskcheck.errors import MaskCheckError, PackageNotInstalled
from maskcheck.frames import Frame
from maskcheck.pictures.decoding import BGRImage

_SKIP = 4.0  # seconds between two frames from which on seeking is faster than decoding what lies between
_TOLERANCE = 0.002  # seconds: times in the results are rounded


def frames_of(path: Path, faces: Sequence[ShownFace]) -> Iterator[BGRImage | str]:
    """The frame of each face, or the reason why there is none.

    Args:
        path: The video.
        faces: Those in it, in order of their frames.
    """
    from maskcheck.sources.video_file import VideoReader

    with ExitStack() as stack:
        frames: Iterator[Frame] = iter(())
        frame: Frame | None = None
        missing = ""
        for face in faces:
            time = face.time or 0.0
            try:
                if not missing and (frame is None or not -_TOLERANCE <= time - (frame.time or 0.0) <= _SKIP):
                    stack.close()
                    reader = stack.enter_context(VideoReader(path, start=max(0.0, time - 0.5)))
                    frames = iter(reader)
                    frame = next(frames, None)
                while not missing and frame is not None and (frame.time or 0.0) < time - _TOLERANCE:
                    frame = next(frames, None)
            except PackageNotInstalled as error:
                missing = f"from a video, which needs the package {error.package}"
            except (MaskCheckError, OSError, MemoryError):
                missing = "the video cannot be read any more"
            image = None if frame is None else frame.image
            if missing:
                yield missing
            elif isinstance(image, np.ndarray) and frame is not None and abs((frame.time or 0.0) - time) <= _TOLERANCE:
                yield image
            else:
                yield "the video has changed"
