"""The part of a run that works on video files, one after the other."""

from __future__ import annotations

from contextlib import closing

from maskcheck.commands.detect.parts.following import FollowingPart
from maskcheck.commands.detect.parts.video_outputs import VideoOutputs
from maskcheck.commands.detect.stopping import Stopping
from maskcheck.errors import PackageNotInstalled, SourceError
from maskcheck.sources import Source


class VideoPass(FollowingPart):
    """Follows people through video files."""

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
            self._outputs.fail(source.display_name, error)
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
                self._outputs.write_failure(source.display_name, failure)
            video.finish(complete=not stopping.event.is_set(), error="" if failure is None else str(failure))
            # Last of all, and not if its copy was given up: then a run that is continued works on the video anew.
            if not stopping.event.is_set():
                self._outputs.finish_video()
