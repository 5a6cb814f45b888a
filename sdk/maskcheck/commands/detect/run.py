"""The run of ``maskcheck detect``: it opens what it writes to, works on its sources part by part, and sums up."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from maskcheck.commands.console import is_terminal
from maskcheck.commands.detect.copies.annotator import Annotator
from maskcheck.commands.detect.copies.output_names import OutputNames
from maskcheck.commands.detect.copies.video_files import VideoFiles
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.parts.picture_pass import PicturePass
from maskcheck.commands.detect.result_files.output_folder import RESULTS, OutputFolder
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.commands.detect.stopping import Stopping
from maskcheck.commands.detect.targets import Targets
from maskcheck.commands.detect.terminal.progress import Progress
from maskcheck.commands.detect.terminal.tally import Tally
from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.log import LOGGER
from maskcheck.pipeline import MaskPipeline
from maskcheck.sources import LeftOut, Source

if TYPE_CHECKING:
    from maskcheck.commands.detect.parts.run_events import RunEvents
    from maskcheck.events import SinkReport

_KINDS = ("picture", "video", "live")


class Part(Protocol):
    """A part of the run, which works on sources of a kind."""

    def run(self, stopping: Stopping) -> None:
        """Work on them, until the end or a signal."""


class DetectRun:
    """Works on all sources once, when called.

    Args:
        pipeline: It is warmed up.
        sources: What is read.
        targets: Where results go.
        settings: What it is asked to do.
        left_out: What the search for sources passed over.

    Attributes:
        hangs: Whether a thread was still at work when the run ended.
    """

    def __init__(
        self,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        targets: Targets,
        settings: RunSettings,
        *,
        left_out: LeftOut,
    ) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._targets = targets
        self._left_out = left_out
        self._settings = settings
        self._tally = Tally(settings.min_confidence, settings.fail_on)
        self._events: RunEvents | None = None
        self._undelivered: list[SinkReport] = []
        self.hangs = False

    def __call__(self) -> int:
        """Work on the sources.

        Returns:
            The exit status.

        Raises:
            click.UsageError: Something would be overwritten.
            OSError: Results cannot be written; those before are kept and summed up.
            MaskCheckError: The classifier failed, or another run writes to the same place.
        """
        self._check_options()
        with ExitStack() as stack:
            names = self._open_folder(stack)
            # Lines of the log would be mixed with the line that says how far the run is.
            progress = Progress(0 if LOGGER.isEnabledFor(logging.INFO) else len(self._sources))
            outputs = Outputs(
                stack, self._pipeline, self._sources, self._targets, self._tally, progress, self._settings
            )
            parts = self._parts(stack, names, outputs)
            outputs.begin()
            stopping = stack.enter_context(Stopping(on_stop=_say_stopping))
            failure: Exception | None = None
            try:
                for part in parts:
                    if not stopping.event.is_set():
                        part.run(stopping)
            except Exception as error:  # raised below, after the results before it are written and summed up
                failure = error
            if self._events is not None:
                self._undelivered = [report for report in self._events.close() if report.dropped or report.failed]
                self._tally.undelivered = bool(self._undelivered)
            failing_end = outputs.close()
            failure = failure or failing_end
            if not isinstance(failure, BrokenPipeError):
                outputs.sum_up(*self._summary(stopped=stopping.event.is_set() or failure is not None))
        self.hangs = stopping.hangs
        if failure is not None:
            raise failure
        if stopping.status is not None:
            return stopping.status
        return SOMETHING_FAILED if self._tally.something_failed else SUCCESS

    def _check_options(self) -> None:
        given = self._settings.for_videos_only()
        if given and all(source.kind == "picture" and source.error is None for source in self._sources):
            raise click.UsageError(
                f"{', '.join(given)}: only for videos and cameras, but all sources are pictures; leave it out"
            )

    def _open_folder(self, stack: ExitStack) -> OutputNames | None:
        if self._targets.folder is None:
            return None
        folder = stack.enter_context(OutputFolder(self._targets.folder))
        return OutputNames(folder.path, self._sources, own_folder=folder.is_own())

    def _parts(self, stack: ExitStack, names: OutputNames | None, outputs: Outputs) -> list[Part]:
        """The pictures, then the videos, then what is live."""
        settings, pipeline = self._settings, self._pipeline
        by_kind = {kind: [source for source in self._sources if source.kind == kind] for kind in _KINDS}
        pictures = by_kind["picture"]
        annotator = None
        if names is not None and settings.images:
            annotator = Annotator(names, pictures, min_confidence=settings.min_confidence, blur=settings.blur)
        files = {}
        if names is not None:
            for source in (*by_kind["video"], *by_kind["live"]):
                files[source] = VideoFiles.take(names, source, images=settings.images)
        todo = set(map(id, outputs.remaining(self._sources)))
        by_kind = {kind: [source for source in found if id(source) in todo] for kind, found in by_kind.items()}
        parts: list[Part] = [PicturePass(pipeline, by_kind["picture"], annotator, outputs, workers=settings.workers)]
        if by_kind["video"] or by_kind["live"]:
            from maskcheck.commands.detect.parts.live_pass import LivePass
            from maskcheck.commands.detect.parts.video_pass import VideoPass

            events = self._events = self._open_events(stack, names)
            parts.append(VideoPass(pipeline, by_kind["video"], files, outputs, settings, events))
            parts.append(LivePass(pipeline, by_kind["live"], files, outputs, settings, events))
        return parts

    def _open_events(self, stack: ExitStack, names: OutputNames | None) -> RunEvents | None:
        settings = self._settings
        if settings.events is None and settings.mqtt is None:
            return None
        from maskcheck.commands.detect.parts.run_events import CROPS, RunEvents, check_events_file

        if settings.events not in (None, "-"):
            check_events_file(Path(settings.events), self._sources, self._targets.files())
        folder = None if names is None else names.folder / CROPS
        return stack.enter_context(closing(RunEvents(settings, self._targets.events_output, folder)))

    def _summary(self, *, stopped: bool) -> Iterator[str]:
        tally, targets = self._tally, self._targets
        if stopped:
            yield f"stopped after {tally.done} of {len(self._sources)}"
        kept = ""
        if targets.folder is not None:
            kinds = {source.kind for source in self._sources}
            copies = [word for word, kind in (("pictures", {"picture"}), ("videos", {"video", "live"})) if kinds & kind]
            if self._settings.images:
                kept = f"; annotated {' and '.join(copies) or 'pictures'} and {RESULTS[targets.form]} are in"
            else:
                kept = f"; {RESULTS[targets.form]} is in"
            kept += f" {targets.folder}"
        yield f"{tally}{kept}"
        if tally.labels.total() > 1:
            yield "faces: " + ", ".join(f"{count} {label}" for label, count in sorted(tally.labels.items()))
        for report in self._undelivered:
            error = f" ({report.error})" if report.error else ""
            yield f"events for {report.sink}: {report.dropped} dropped, {report.failed} failed{error}"
        if self._left_out:
            yield f"left out: {self._left_out}"


def _say_stopping() -> None:
    if is_terminal(sys.stderr):
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), b"\nmaskcheck: stopping; what is nearly finished is kept\n")
