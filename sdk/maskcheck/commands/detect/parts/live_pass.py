"""The part of a run that watches cameras and streams, all at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack, closing
from queue import Empty, Full, Queue

from maskcheck.commands.detect.copies.video_files import VideoFiles
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.parts.following import FollowingPart
from maskcheck.commands.detect.parts.run_events import RunEvents
from maskcheck.commands.detect.parts.video_outputs import VideoOutputs
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.commands.detect.stopping import Stopping
from maskcheck.errors import PackageNotInstalled, SourceError
from maskcheck.pipeline import MaskPipeline
from maskcheck.results import FrameResult
from maskcheck.sources import Source
from maskcheck.sources.live import LiveReader, LiveState

_POLL = 0.1  # seconds after which a wait for results looks whether the run is to end
_WAITING = 2  # results of all sources that wait to be used: more would be old by then


class LivePass(FollowingPart):
    """Follows people in front of cameras, until the sources end or a signal comes.

    Each source has a thread, in which its newest frame is worked on; the results of all are used in the caller's.
    """

    def run(self, stopping: Stopping) -> None:
        """Watch the sources, until all have ended or a signal comes.

        Raises:
            OSError: Results cannot be written.
            MaskCheckError: The classifier failed.
        """
        if not self._sources:
            return
        with ExitStack() as stack:
            queue: Queue[_Message] = Queue(_WAITING * len(self._sources))
            open_watches: dict[_Watch, None] = {}
            for source in self._sources:
                try:
                    watch = self._watch(source, queue, stopping.event)
                except PackageNotInstalled as missing:
                    self._outputs.fail(source.display_name, missing)
                else:
                    open_watches[stack.enter_context(closing(watch))] = None
            try:
                while open_watches and not stopping.event.is_set():
                    try:
                        watch, result, error = queue.get(timeout=_POLL)
                    except Empty:
                        continue
                    if result is not None:
                        if not watch.outputs.add(result):  # its window was closed
                            stopping.event.set()
                    else:
                        del open_watches[watch]
                        watch.finish(error)
            finally:
                _end_together(open_watches)
            for watch in open_watches:
                watch.finish(None)

    def _watch(self, source: Source, queue: Queue[_Message], stop: threading.Event) -> _Watch:
        files = self._files.get(source)
        return _Watch(self._pipeline, source, files, self._outputs, self._settings, self._events, queue, stop)


def _end_together(watches: Iterable[_Watch]) -> None:
    """End all at the same time: one after the other, each that hangs would take seconds."""
    threads = [threading.Thread(target=watch.end, name="maskcheck live end") for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Watch:
    """One live source: its thread, and what is done with its results."""

    def __init__(
        self,
        pipeline: MaskPipeline,
        source: Source,
        files: VideoFiles | None,
        outputs: Outputs,
        settings: RunSettings,
        events: RunEvents | None,
        queue: Queue[_Message],
        stop: threading.Event,
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._outputs = outputs
        self._queue = queue
        self._stop = stop
        self._ended = threading.Event()
        self._name = source.display_name
        self._told = ""  # the reason for which it is away, as it was last reported
        self.reader = LiveReader(
            source.address,
            read_timeout=settings.read_timeout,
            reconnect=settings.reconnect,
            on_state=self._tell,
            limits=pipeline.limits,
        )
        self.outputs = VideoOutputs(source, self.reader, files, outputs, settings, events, pipeline.limits, stop.is_set)
        self._keep_images = self.outputs.needs_images
        self._thread = threading.Thread(target=self._work, name=f"maskcheck live: {self._name}", daemon=True)
        self._thread.start()

    def finish(self, error: BaseException | None) -> None:
        """Write its files; other errors than that the source has ended are raised."""
        self.end()
        if error is not None and not isinstance(error, (SourceError, PackageNotInstalled)):
            raise error
        if error is not None:
            self._outputs.write_failure(self._name, error)
        self.outputs.finish(complete=error is None, error="" if error is None else str(error))

    def end(self) -> None:
        """End its thread; from any thread."""
        self._ended.set()
        self.reader.close()
        self._thread.join(2.0)  # it may be at work on a frame; a daemon does not hold up the end

    def close(self) -> None:
        """End its thread, and put in place what was written, if :meth:`finish` did not."""
        self.end()
        self.outputs.close()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            results = self._pipeline.track(
                self.reader,
                detect_every=self._settings.detect_every,
                stop=self._stop,
                keep_images=self._keep_images,
            )
            with closing(results):
                for result in results:
                    if not self._put(result, None):
                        return
        except BaseException as failure:  # raised in the thread of the run
            error = failure
        self._put(None, error)

    def _put(self, result: FrameResult | None, error: BaseException | None) -> bool:
        """Hand over; False if nobody takes it any more."""
        while not self._ended.is_set():
            try:
                self._queue.put((self, result, error), timeout=_POLL)
            except Full:
                continue
            return True
        return False

    def _tell(self, state: LiveState) -> None:
        """Say that it is there, or why it is away; not each attempt, which would fill a log in a night."""
        if state.phase in ("connecting", "ended") or (state.phase == "retrying" and state.reason == self._told):
            return
        self._told = state.reason
        self._outputs.tell(str(state))


_Message = tuple[_Watch, FrameResult | None, BaseException | None]
