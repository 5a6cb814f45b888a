"""What is done with the results of one video or camera."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from maskcheck.commands.detect.copies.annotated_video import AnnotatedVideo, BlurredFile, BlurredStream, PlainVideo
from maskcheck.commands.detect.copies.video_files import VideoFiles
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.result_files.safe_files import refuse_links, write_whole
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.errors import PackageNotInstalled, SourceError
from maskcheck.events import Watcher
from maskcheck.events.drawing import draw_places
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pictures.decoding import BGRImage
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.privacy import BlurPlan, blur_faces, boxes_to_blur
from maskcheck.privacy.plan import HOLD
from maskcheck.recording import VideoSummary, VideoWriter, draw_chart
from maskcheck.results import FrameResult
from maskcheck.sources import Source
from maskcheck.sources.reader import FrameReader, VideoInfo

if TYPE_CHECKING:
    from maskcheck.commands.detect.parts.run_events import RunEvents
    from maskcheck.recording.display import Window


class VideoOutputs:
    """Takes the results of one video or camera: they are written, drawn, summed up, watched and shown.

    Args:
        source: The video.
        reader: Reads it.
        files: Where its files go; None for nowhere.
        outputs: What all sources of the run share.
        settings: What the run is asked to do.
        events: Where events go; None for nowhere.
        limits: What a frame may cost.
        stopped: Whether the run is to end.
    """

    def __init__(
        self,
        source: Source,
        reader: FrameReader,
        files: VideoFiles | None,
        outputs: Outputs,
        settings: RunSettings,
        events: RunEvents | None,
        limits: DecodingLimits,
        stopped: Callable[[], bool],
    ) -> None:
        self._limits = limits
        self._stopped = stopped
        self._source = source
        self._reader = reader
        self._files = files
        self._outputs = outputs
        self._settings = settings
        self._events = events
        self._identity = _identity(source.path)
        self._watcher = self._make_watcher()
        self._summary = VideoSummary(
            source.display_name,
            reader.info,
            min_confidence=settings.min_confidence,
            settings={"detect_every": settings.detect_every, "every": settings.every, "blur": settings.blur},
        )
        self._notes: tuple[str, ...] = ()
        self._video = self._open_video()
        self._window: Window | None = None
        if settings.show:
            from maskcheck.recording.display import Window

            self._window = Window(reader.name)
        self._problem = ""
        self._started = monotonic()
        self._frames = 0

    @property
    def needs_images(self) -> bool:
        """Whether results must hold their pictures."""
        return (
            (self._video is not None and self._video.needs_images)
            or (self._events is not None and self._events.takes_crops)
            or self._window is not None
        )

    def add(self, result: FrameResult) -> bool:
        """Take the result of the next frame.

        Returns:
            Whether to go on: False once the user has closed the window.

        Raises:
            OSError: Results cannot be written.
        """
        self._frames += 1
        self._summary.info = self._reader.info  # of a live source, it is known after the first frame
        self._outputs.write_frame(result)
        self._summary.add(result)
        self._watch(result)
        if self._video is not None:
            try:
                self._video.add(result)
            except OSError as error:
                self._stop_video(error)
        self._outputs.progress.show_video(self._reader, result, self._frames, end=self._settings.end)
        if self._window is None or result.image is None:
            return True
        return self._window.show(self._shown(result, result.image))

    def finish(self, *, complete: bool, error: str = "") -> None:
        """Write the files, and print the row of the video.

        Args:
            complete: Whether it was read to its end.
            error: Why it was not; empty if nothing failed.
        """
        if self._watcher is not None:
            left = self._watcher.finish()
            if self._events is not None:
                self._events.send(left)
        seconds = monotonic() - self._started
        notes = self._reader.notes
        if self._video is not None:
            try:
                if self._video.finish(complete=complete) is None and self._frames and not error:
                    self._problem = "not annotated, as the run was stopped before its end"
                else:
                    notes += self._notes + self._video.notes
            except (OSError, SourceError) as failure:
                self._stop_video(failure)
        summary = self._summary.to_dict(complete=complete and not error)
        summary["notes"] = list(notes)
        if self._watcher is not None and self._watcher.lines:
            summary["lines"] = self._watcher.counts
        if self._files is not None and self._frames:
            self._write_summary(self._files, summary)
        people = Counter[str]((summary["people"] or {}).get("by_label", {}))
        self._outputs.show_video(
            self._source.display_name, people, self._frames, seconds, notes=notes, problem=self._problem, error=error
        )

    def _write_summary(self, files: VideoFiles, summary: Mapping[str, Any]) -> None:
        """Write the summary and its chart."""
        try:
            self._write(files.summary, (json.dumps(summary, indent=2) + "\n").encode("ascii"))
            if self._settings.images:
                chart = BytesIO()
                draw_chart(summary, chart)
                self._write(files.chart, chart.getvalue())
        except OSError as failure:
            self._problem = self._problem or f"not summed up: cannot write {failure.filename}: {failure.strerror}"
            self._outputs.tally.not_summed_up += 1
        except PackageNotInstalled as failure:
            self._problem = self._problem or f"summed up without a chart: {failure}"

    def _write(self, file: Path, content: bytes) -> None:
        assert self._files is not None
        refuse_links(self._files.folder, file)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)

    def close(self) -> None:
        """Put in place what was written, if :meth:`finish` did not."""
        if self._window is not None:
            self._window.close()
        if self._video is not None:
            with suppress(OSError):
                self._video.close()

    def _make_watcher(self) -> Watcher | None:
        if self._events is not None:
            return self._events.watcher(self._reader.name)
        if self._settings.zones or self._settings.lines:  # for the counts that are drawn
            return Watcher(zones=self._settings.zones, lines=self._settings.lines)
        return None

    def _watch(self, result: FrameResult) -> None:
        if self._watcher is None:
            return
        if self._reader.is_live and self._watcher.started is None:
            self._watcher.started = datetime.now(UTC) - timedelta(seconds=result.time or 0.0)
        events = self._watcher.update(result)
        if self._events is not None:
            self._events.send(events)

    def _open_video(self) -> AnnotatedVideo | None:
        if self._files is None or self._files.video is None:
            return None
        settings, is_live = self._settings, self._reader.is_live
        writer = self._open_writer(self._files, self._files.video)
        if writer.path != self._files.video:  # beside it, where another file may be
            writer.abort()
            writer = self._open_writer(self._files, self._files.take_another_video(writer.path.suffix))
            self._notes = (f"the copy is {writer.path.name}: {self._files.video.suffix} does not take its sound",)
        if settings.blur is None:
            return PlainVideo(writer, self._draw)
        if is_live:
            return BlurredStream(writer, self._draw, settings.blur)
        rate = (self._reader.info and self._reader.info.frame_rate) or 25
        # A face that enters just after a frame that was searched is found that much later.
        hold = HOLD + settings.detect_every * settings.every / rate
        return BlurredFile(writer, self._draw, BlurPlan(settings.blur, hold=hold), self._read_again, self._stopped)

    def _open_writer(self, files: VideoFiles, target: Path) -> VideoWriter:
        settings = self._settings
        refuse_links(files.folder, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        return VideoWriter(
            target,
            like=self._reader.info or VideoInfo((0, 0)),
            audio_from=None if self._reader.is_live else self._source.path,
            start=settings.start or 0.0,
            end=settings.end,
        )

    def _read_again(self) -> Generator[Frame, None, None]:
        """The frames once more.

        Raises:
            SourceError: They cannot be read, or the file is another now, whose faces may be anywhere.
        """
        from maskcheck.sources.video_file import VideoReader

        settings = self._settings
        with VideoReader(
            self._source.path, every=settings.every, start=settings.start, end=settings.end, limits=self._limits
        ) as reader:
            for frame in reader:
                if _identity(self._source.path) != self._identity:
                    name = self._source.display_name
                    raise SourceError(f"{name} has changed since it was searched for faces", source=name)
                yield frame

    def _draw(self, image: BGRImage, result: FrameResult) -> BGRImage:
        drawn = result.draw(image, min_confidence=self._settings.min_confidence)
        if self._watcher is not None and not isinstance(self._video, BlurredFile):  # which has the last counts only
            draw_places(drawn, self._watcher)
        return drawn

    def _shown(self, result: FrameResult, image: BGRImage) -> BGRImage:
        """A frame for the window, where nothing can be known of the frames that follow."""
        if self._settings.blur is not None:
            image = blur_faces(image, boxes_to_blur(result, self._settings.blur))
        return self._draw(image, result)

    def _stop_video(self, error: OSError | SourceError) -> None:
        """The copy cannot be written, on a full disk for example: the run goes on without it."""
        why = str(error)
        if isinstance(error, OSError):
            name = error.filename or (self._files.video if self._files else "")
            why = f"cannot write {name}: {error.strerror or error}"
        self._problem = f"not annotated: {why}"
        LOGGER.warning("%s was %s", self._source.display_name, self._problem)
        if self._video is not None:
            with suppress(OSError):
                self._video.close()
        self._video = None
        self._outputs.tally.not_annotated += 1


def _identity(path: Path) -> tuple[int, ...] | None:
    """What tells a file from another, and from itself with other content; None of a live source."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
