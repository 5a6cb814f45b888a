"""``VideoWriter``: pictures to a video file, at their times, with the sound of their source."""

from __future__ import annotations

import errno
import math
import os
import threading
from contextlib import suppress
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maskcheck.errors import SourceError
from maskcheck.pictures.decoding import BGRImage
from maskcheck.recording.containers import checked_suffix, is_fragmented, open_container, path_for
from maskcheck.recording.encoding import Encoder, Preset, find_codec, time_base_for
from maskcheck.recording.part_file import PartFile
from maskcheck.recording.sound import Sound
from maskcheck.recording.time_stamps import TimeStamps
from maskcheck.sources.reader import VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_WAITING = 4  # pictures that wait for the encoder
_BUFFER = 1 << 18  # bytes


class VideoWriter:
    """Writes a video: H.264 where PyAV has libx264, else MPEG-4, in MP4, MOV or Matroska.

    Pictures keep their times, so that a variable frame rate stays what it is. They are upright, and the file asks for
    no rotation. The size is that of the first picture; one of another size is scaled to fit, between black bars. A
    width or height that is odd grows by one pixel, because H.264 players want even ones.

    Encoding takes place in a thread of its own, so it overlaps with the caller's work; at most four pictures wait for
    it. The file is ``NAME.part`` until :meth:`close` puts it in place; a process that is killed leaves that, and it can
    be played as far as it goes. The wheels of PyAV hold libx264, which is under the GPL.

    Args:
        path: The file, which is replaced if it exists; its name ends in ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``.
        like: The video that the pictures come from, for its frame rate and its time base.
        audio_from: A file whose sound is copied, all its audio streams; its packets are not encoded again. A file
            without sound is allowed.
        start: Time at which the written video begins, in seconds from the start of the source.
        end: Time at which its sound ends at the latest; None for the end of the source.
        zero: Time stamp of `audio_from`, in seconds, at which the source starts; by default, the start of its video.
        preset: How long libx264 may look for shorter files.

    Attributes:
        path: Where the video will be: `path`, or beside it ``NAME.mkv`` (rarely ``NAME.mov``) if that container does
            not take the sound.

    Raises:
        PackageNotInstalled: PyAV is missing.
        OSError: The file cannot be made.
        ValueError: The name has another ending, or `start` and `end` are no times.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        like: VideoInfo,
        audio_from: str | os.PathLike[str] | None = None,
        start: float = 0.0,
        end: float | None = None,
        zero: float | None = None,
        preset: Preset = "superfast",
    ) -> None:
        _check_times(start, end)
        self._codec = find_codec()
        self._preset = preset
        self._like = like
        self._notes: list[str] = []
        self.path = Path(path)
        checked_suffix(self.path)
        self._sound = self._open_sound(audio_from, start, end, zero)
        self._time_base = time_base_for(self._codec, like.time_base)
        self._stamps = TimeStamps(start, self._time_base, 1 / (like.frame_rate or 25))
        try:
            self._file = PartFile(self.path)
        except OSError:
            if self._sound is not None:
                self._sound.close()
            raise
        self._container: Any = None
        self._encoder: Encoder | None = None
        self._waiting: Queue[VideoFrame | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="maskcheck-video-writer", daemon=True)
        self._failure: BaseException | None = None
        self._sizes: set[tuple[int, int]] = set()
        self._sound_until = 0.0
        self._closed = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as in the source, in words."""
        notes = list(self._notes)
        if len(self._sizes) > 1:
            assert self._encoder is not None
            width, height = self._encoder.size
            notes.append(f"pictures of other sizes were scaled to fit into {width} x {height} pixels")
        if self._stamps.corrected:
            notes.append(f"{self._stamps.corrected} pictures had a time that did not rise, and follow the last one")
        if self._sound is not None and self._sound.error is not None:
            notes.append(f"the sound ends early: {self._sound.error}")
        return tuple(notes)

    def write(self, image: BGRImage, time: float) -> None:
        """Add a picture; it waits if four pictures wait for the encoder.

        Args:
            image: uint8 (H, W, 3), BGR, upright. It is copied.
            time: Seconds from the start of the source.

        Raises:
            OSError: The file cannot be written, or the encoder fails. What was written before stays; :meth:`close` puts
                it in place.
            ValueError: The array has another shape or dtype, or `time` is no number.
            RuntimeError: The writer is closed.
        """
        if self._closed:
            raise RuntimeError("the video is closed; make another writer")
        self._raise_failure()
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype.name != "uint8" or not image.size:
            raise ValueError(f"image: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
        height, width = image.shape[:2]
        stamp = self._stamps.next(time)
        encoder = self._encoder or self._begin((width, height))
        self._sizes.add((width, height))
        self._waiting.put(encoder.prepare(image, stamp))

    def close(self, *, all_sound: bool = False) -> Path | None:
        """Finish the file and put it in place. Once it is closed, this does nothing more.

        Args:
            all_sound: Whether sound that goes on after the last picture is kept, up to `end`: at the end of a source.
                By default, it ends with the last picture.

        Returns:
            The file; None if no picture was written, and there is no file.

        Raises:
            OSError: The file could not be finished, as on a full disk. What was written before is in place, and valid;
                of less than a second, there may be no file.
        """
        if self._closed:
            return self.path if self._encoder is not None else None
        self._closed = True
        if self._encoder is None:
            self._release()
            self._file.remove()
            self._raise_failure()
            return None
        self._sound_until = math.inf if all_sound else self._stamps.end
        self._waiting.put(None)
        self._thread.join()
        self._release()
        if self._failure is None or not is_fragmented(self.path) or self._file.cut():
            self._file.put_in_place()
        else:
            self._file.remove()
        self._raise_failure()
        return self.path

    def abort(self) -> None:
        """Stop, and delete what was written. Once it is closed, this does nothing."""
        if self._closed:
            return
        self._closed = True
        self._file.stop()
        if self._encoder is not None:
            self._waiting.put(None)
            self._thread.join()
        self._release()
        self._file.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BaseException as failure:
            if failure is not error:  # which the block raised already
                raise

    def _open_sound(
        self, path: str | os.PathLike[str] | None, start: float, end: float | None, zero: float | None
    ) -> Sound | None:
        if path is None:
            return None
        try:
            sound = Sound(path, start=start, end=end, zero=zero)
        except (SourceError, OSError, ValueError) as error:
            self._notes.append(f"the sound could not be copied: {error}")
            return None
        if sound.codecs:
            found = path_for(self.path, sound)
            if found is not None:
                self.path = found
                return sound
            self._notes.append(f"the sound ({', '.join(sound.codecs)}) was left out: no container takes it")
        sound.close()
        return None

    def _begin(self, size: tuple[int, int]) -> Encoder:
        """Make the encoder, write the beginning of the file, and start the thread."""
        try:
            self._container = open_container(self._file, self.path, buffer_size=_BUFFER)
            self._encoder = Encoder(
                self._container,
                self._codec,
                size=size,
                time_base=self._time_base,
                frame_rate=self._like.frame_rate,
                preset=self._preset,
            )
            if self._sound is not None:
                self._sound.add_to(self._container)
            self._container.start_encoding()
        except Exception as error:
            self._failure = _as_os_error(error, self.path)
            self._encoder = None
            raise self._failure from error
        self._thread.start()
        return self._encoder

    def _work(self) -> None:
        """Encode what comes until None comes; after a failure, only take it away, so that nobody waits."""
        while (frame := self._waiting.get()) is not None:
            if self._failure is None:
                self._run(self._add, frame)
        if self._failure is None:
            self._run(self._finish)
        if self._failure is not None:
            self._file.stop()

    def _run(self, step: Any, *arguments: Any) -> None:
        try:
            step(*arguments)
        except BaseException as error:  # raised in the thread of the caller
            self._failure = _as_os_error(error, self.path)

    def _add(self, frame: VideoFrame) -> None:
        assert self._encoder is not None
        assert frame.pts is not None
        for packet in self._encoder.encode(frame):
            self._container.mux(packet)
        self._add_sound(float(frame.pts * self._encoder.time_base))

    def _finish(self) -> None:
        assert self._encoder is not None
        for packet in self._encoder.encode(None):
            self._container.mux(packet)
        self._add_sound(self._sound_until)
        self._file.begin_end()
        self._container.close()
        self._file.finish_end()

    def _add_sound(self, until: float) -> None:
        if self._sound is not None:
            for packet in self._sound.packets(until):
                self._container.mux(packet)

    def _release(self) -> None:
        self._file.stop()
        if self._container is not None:
            with suppress(Exception):  # after a failure it fails again, in PyAV before 17.1 with errors of no kind
                self._container.close()
        if self._sound is not None:
            self._sound.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _as_os_error(error: BaseException, path: Path) -> BaseException:
    """An error with the name of the file, of the one kind that callers expect; others than PyAV's stay."""
    if isinstance(error, (OSError, ValueError)) or hasattr(error, "errno"):  # PyAV's are one of these
        return OSError(
            getattr(error, "errno", None) or errno.EIO, getattr(error, "strerror", None) or str(error), str(path)
        )
    return error


def _check_times(start: float, end: float | None) -> None:
    if not (math.isfinite(start) and start >= 0):
        raise ValueError(f"start: expected seconds, 0 or more, got {start!r}")
    if end is not None and not end > start:
        raise ValueError(f"end: expected seconds, more than start ({start}), got {end!r}")
