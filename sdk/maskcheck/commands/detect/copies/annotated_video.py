"""The annotated copy of a video: drawn on while it is read, or, where faces are blurred, when all of it is known."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias

from maskcheck.frames import Frame
from maskcheck.pictures.decoding import BGRImage
from maskcheck.privacy import Blur, BlurPlan, DelayedBlur, blur_faces
from maskcheck.recording import VideoWriter
from maskcheck.results import FrameResult

Draw: TypeAlias = Callable[[BGRImage, FrameResult], BGRImage]
"""Draws a result on a picture, uint8 (H, W, 3), BGR, and gives what is written."""


class AnnotatedVideo(ABC):
    """Takes the results of a video, frame by frame, and writes its annotated copy.

    Args:
        writer: Writes the copy.
        draw: Draws a result on a picture.

    Attributes:
        needs_images: Whether results must hold their pictures.
    """

    needs_images = True

    def __init__(self, writer: VideoWriter, draw: Draw) -> None:
        self._writer = writer
        self._draw = draw

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source, in words."""
        return self._writer.notes

    @abstractmethod
    def add(self, result: FrameResult) -> None:
        """Take the result of the next frame; one with an error is left out.

        Raises:
            OSError: The copy cannot be written.
        """

    def finish(self, *, complete: bool) -> Path | None:
        """Write what is left, and put the copy in place.

        Args:
            complete: Whether the source was read to its end.

        Returns:
            The copy; None if there is none.

        Raises:
            OSError: It cannot be written; what was written before is in place.
        """
        return self._writer.close(all_sound=complete)

    def close(self) -> None:
        """Put what was written in place, if :meth:`finish` did not."""
        self._writer.close()

    def _write(self, result: FrameResult, image: BGRImage) -> None:
        self._writer.write(self._draw(image, result), result.time or 0.0)


class PlainVideo(AnnotatedVideo):
    """A copy without blur: each frame is written at once."""

    def add(self, result: FrameResult) -> None:
        """Draw and write a frame."""
        if result.image is not None:
            self._write(result, result.image)


class BlurredStream(AnnotatedVideo):
    """A blurred copy of a live source: each frame is written a moment later.

    Args:
        writer: Writes the copy.
        draw: Draws a result on a picture.
        blur: Which faces are blurred.
    """

    def __init__(self, writer: VideoWriter, draw: Draw, blur: Blur) -> None:
        super().__init__(writer, draw)
        self._delayed = DelayedBlur(blur)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source, and where the blur is less careful, in words."""
        hurried = self._delayed.hurried
        if not hurried:
            return super().notes
        return (f"{hurried} frames were blurred without waiting for what came after them", *super().notes)

    def add(self, result: FrameResult) -> None:
        """Write the frames that have waited long enough."""
        if result.error is None:
            self._write_all(self._delayed.add(result))

    def finish(self, *, complete: bool) -> Path | None:
        """Write the frames that still wait."""
        self._write_all(self._delayed.finish())
        return super().finish(complete=complete)

    def _write_all(self, results: list[FrameResult]) -> None:
        for result in results:
            if result.image is not None:
                self._write(result, result.image)


class BlurredFile(AnnotatedVideo):
    """A blurred copy of a video file, which is read a second time for it: then it is known where faces were missed.

    Until then, the results wait in a temporary file, which has no name.

    Args:
        writer: Writes the copy.
        draw: Draws a result on a picture.
        plan: What is blurred in each frame; it is filled with the results.
        read_again: Gives the frames once more.
        stopped: Whether the run is to end, also while the video is read again.
    """

    needs_images = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source, in words."""
        cut = () if self._cut_at is None else (f"the copy ends at {self._cut_at:.2f} s: the rest was not read again",)
        return (*cut, *super().notes)

    def __init__(
        self,
        writer: VideoWriter,
        draw: Draw,
        plan: BlurPlan,
        read_again: Callable[[], Generator[Frame, None, None]],
        stopped: Callable[[], bool],
    ) -> None:
        super().__init__(writer, draw)
        self._plan = plan
        self._read_again = read_again
        self._stopped = stopped
        self._cut_at: float | None = None  # time from which on it could not be read again
        self._results = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed in `close`

    def add(self, result: FrameResult) -> None:
        """Keep the result for the second time."""
        if result.error is None:
            self._plan.add(result)
            self._results.write(json.dumps(result.to_dict()) + "\n")

    def finish(self, *, complete: bool) -> Path | None:
        """Read the video again, and write it; not if it was not read to its end, or the run is stopped meanwhile.

        Raises:
            SourceError: It cannot be read again, or has changed; then there is no copy.
        """
        if not complete:
            self._writer.abort()
            return None
        self._results.seek(0)
        results = (FrameResult.from_dict(json.loads(line)) for line in self._results)
        with closing(self._read_again()) as frames:
            for result in results:
                # The same frames come again, but for those that failed.
                frame = next((frame for frame in frames if frame.index == result.frame), None)
                if frame is None or not hasattr(frame.image, "shape"):
                    self._cut_at = result.time
                    break
                image: BGRImage = frame.image  # type: ignore[assignment]
                blur_faces(image, self._plan.boxes(frame.index), out=image)
                self._write(result, image)
                if self._stopped():  # an hour of video would take as long to write
                    self._writer.abort()
                    return None
        return super().finish(complete=complete)

    def close(self) -> None:
        """Delete the temporary file, too."""
        self._results.close()
        self._writer.abort()
