"""The part of a run that works on video files, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

from maskcheck.commands.detect.copies.video_files import VideoFiles
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.parts.run_events import RunEvents
from maskcheck.commands.detect.parts.video_outputs import VideoOutputs
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.commands.detect.stopping import Stopping
from maskcheck.errors import PackageNotInstalled, SourceError
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.sources import Source


class VideoPass:
    """Follows people through video files.

    Args:
        pipeline: It is warmed up.
        sources: The videos.
        files: Where the files of each go; empty for nowhere.
        outputs: What all sources of the run share.
        settings: What the run is asked to do.
        events: Where events go; None for nowhere.
    """

    def __init__(
        self,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        files: Mapping[Source, VideoFiles],
        outputs: Outputs,
        settings: RunSettings,
        events: RunEvents | None,
    ) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._files = files
        self._outputs = outputs
        self._settings = settings
        self._events = events

    def run(self, stopping: Stopping) -> None:
        """Work on the videos, until the end or a signal.

        Raises:
            OSError: Results cannot be written.
            MaskCheckError: The classifier failed.
        """
        for source in self._sources:
            if stopping.event.is_set():
                return
            self._work_on(source, stopping)

    def _work_on(self, source: Source, stopping: Stopping) -> None:
        from maskcheck.sources.video_file import VideoReader

        settings = self._settings
        try:
            reader = VideoReader(
                source.path,
                every=settings.every,
                start=settings.start,
                end=settings.end,
                limits=self._pipeline.limits,
            )
        except (SourceError, PackageNotInstalled) as error:
            self._outputs.fail(FrameResult((), (0, 0), source=source.display_name, error=error))
            return
        outputs = VideoOutputs(
            source,
            reader,
            self._files.get(source),
            self._outputs,
            settings,
            self._events,
            self._pipeline.limits,
            stopping.event.is_set,
        )
        with reader, closing(outputs) as video:
            failure: SourceError | PackageNotInstalled | None = None
            try:
                results = self._pipeline.track(
                    reader,
                    detect_every=settings.detect_every,
                    stop=stopping.event,
                    keep_images=video.needs_images,
                )
                with closing(results):
                    for result in results:
                        if not video.add(result):  # the window was closed
                            stopping.event.set()
            except (SourceError, PackageNotInstalled) as error:  # damaged, say: what came before it is kept
                failure = error
            if failure is not None:
                self._outputs.write_failure(FrameResult((), (0, 0), source=source.display_name, error=failure))
            video.finish(complete=not stopping.event.is_set(), error="" if failure is None else str(failure))
            # Last of all, and not if its copy was given up: then a run that is continued works on the video anew.
            if not stopping.event.is_set():
                self._outputs.finish_video()
