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

_SKIP = 10.0  # seconds between two frames from which on seeking is faster than decoding what lies between
_BEFORE = 0.5  # seconds before a frame, where reading begins after seeking


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
        time = -_SKIP
        missing = ""
        for face in faces:
            wanted = face.time or 0.0
            try:
                if not missing and wanted - time >= _SKIP:
                    stack.close()
                    frames = iter(stack.enter_context(VideoReader(path, start=max(0.0, wanted - _BEFORE))))
                    frame = next(frames, None)
                while not missing and frame is not None and frame.index < face.frame:
                    frame = next(frames, None)
            except PackageNotInstalled as error:
                missing = f"from a video, which needs the package {error.package}"
            except (MaskCheckError, OSError, MemoryError):
                missing = "the video cannot be read any more"
            time = wanted
            image = None if frame is None or frame.index != face.frame else frame.image
            yield missing or (image if isinstance(image, np.ndarray) else "the video has changed")
