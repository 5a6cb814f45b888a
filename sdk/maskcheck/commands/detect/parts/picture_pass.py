"""The part of a run that works on pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskcheck.commands.detect.copies.annotator import Annotator
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.stopping import Stopping
from maskcheck.errors import SourceError
from maskcheck.frames import Frame
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.sources import Source, read_piped


class PicturePass:
    """Labels pictures, and writes annotated copies.

    Args:
        pipeline: It is warmed up.
        sources: The pictures.
        annotator: Writes annotated copies; None for none.
        outputs: What is done with results.
        workers: Processes that do the work; 0 for threads of this one.
    """

    def __init__(
        self,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        annotator: Annotator | None,
        outputs: Outputs,
        *,
        workers: int = 0,
    ) -> None:
        self._workers = workers
        self._pipeline = pipeline
        self._sources = sources
        self._annotator = annotator
        self._outputs = outputs
        self._piped: dict[Path, bytes] = {}  # content of pipes, which cannot be read again, until it is annotated

    def run(self, stopping: Stopping) -> None:
        """Work on the pictures, until the end or a signal.

        Raises:
            OSError: Results cannot be written.
            MaskCheckError: The classifier failed.
        """
        results = stopping.results(self._stream, map(self._frame, self._sources))
        for result, source in zip(results, self._sources, strict=False):  # a signal ends the results earlier
            self._use(source, result)

    def _stream(self, frames: Iterator[Frame], stop: threading.Event) -> Iterator[FrameResult]:
        keep_images = self._annotator is not None
        if not self._workers:
            return self._pipeline.stream(frames, stop=stop, keep_images=keep_images)
        from maskcheck.engine.processes import stream_in_processes

        return stream_in_processes(self._pipeline, frames, workers=self._workers, stop=stop, keep_images=keep_images)

    def _frame(self, source: Source) -> Frame:
        """The frame of a source; a pipe is read."""
        image: Path | bytes = source.path
        error = source.error
        if source.piped:
            try:
                image = self._piped[source.path] = read_piped(source, self._pipeline.limits)
            except SourceError as failure:
                error = failure
        return Frame(image, source=source.display_name, error=error)

    def _use(self, source: Source, result: FrameResult) -> None:
        problem = ""
        content = self._piped.pop(source.path, None)
        if self._annotator is not None and result.error is None:
            try:
                self._annotator.write(source, result, content)
            except OSError as error:
                problem = f"not annotated: {_described(error)}"
                self._outputs.tally.not_annotated += 1
        # After the copy: a picture whose line is there is done, whatever happens then.
        self._outputs.show(result, self._outputs.write(result), problem)


def _described(error: OSError) -> str:
    return f"cannot write {error.filename}: {error.strerror}" if error.filename else str(error)
