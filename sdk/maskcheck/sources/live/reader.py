"""The reader of a live source: it gives the newest frame, and connects again after a disconnect."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from maskcheck.engine.ending import GRACE, leave, register, unregister
from maskcheck.errors import SourceError
from maskcheck.frames import Frame
from maskcheck.log import LOGGER
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.sources.addresses import shown_address
from maskcheck.sources.live.attempts import Attempts
from maskcheck.sources.live.cameras import camera_index, camera_opener
from maskcheck.sources.live.connection import ConnectionFailure
from maskcheck.sources.live.newest import NewestPicture
from maskcheck.sources.live.state import LiveState, Phase
from maskcheck.sources.live.streams import stream_opener
from maskcheck.sources.reader import FrameReader

_GRACE = 0.25  # seconds: one that receives pictures sees within a frame that it is closed


class LiveReader(FrameReader):
    """Gives the newest frame of a camera or stream, and connects again after a disconnect.

    A thread receives all frames; the iterator gives the newest that it has not given yet, so a slow caller misses
    frames but never lags behind. ``Frame.index`` counts the frames received, so it has gaps where frames were missed.
    ``Frame.time`` is in seconds since the first frame came, by this machine's clock, also over a disconnect.

    The end of a stream is a disconnect: the next attempt is made at once if the connection had lasted, then after
    delays that double up to `max_retry_delay`. A source that refuses the user name or password is tried once a minute,
    and not at all before the first frame.

    Args:
        address: ``rtsp://...``, ``http://...`` (MJPEG, MPEG-TS, HLS), another address that FFmpeg reads, or a camera of
            this machine: its number from 0, also as text, or ``/dev/video0``.
        open_timeout: Seconds for one attempt to connect; also those in which the first frame must come.
        read_timeout: Seconds without a frame of a stream after which the connection is lost. A camera of this machine
            has the time-out of its driver.
        reconnect: Whether to connect again. If not, the first disconnect raises `SourceError`.
        wait_for_start: Whether to wait for the first frame as long as it takes, in place of `open_timeout`.
        max_retry_delay: The longest delay between two attempts, in seconds.
        on_state: Called with each change of state, from the thread that receives: it must return soon.
        limits: The most pixels that a frame may have. A larger one ends the iteration.
        options: Options of FFmpeg for a stream, such as ``{"rtsp_transport": "udp"}`` in place of TCP.

    Attributes:
        state: What it does at the moment; None before the start.
        received: Number of frames received.
        dropped: Number of frames that were received and never given, because a newer one came.

    Raises:
        SourceError: The address cannot be that of a live source.
        ValueError: A time is not above 0.
    """

    is_live = True

    def __init__(
        self,
        address: str | int,
        *,
        open_timeout: float = 10.0,
        read_timeout: float = 10.0,
        reconnect: bool = True,
        wait_for_start: bool = False,
        max_retry_delay: float = 2.0,
        on_state: Callable[[LiveState], None] | None = None,
        limits: DecodingLimits = DEFAULT_LIMITS,
        options: Mapping[str, str] | None = None,
    ) -> None:
        times = {"open_timeout": open_timeout, "read_timeout": read_timeout, "max_retry_delay": max_retry_delay}
        for what, seconds in times.items():
            if not seconds > 0:
                raise ValueError(f"{what}: expected seconds above 0, got {seconds!r}")
        camera = camera_index(address)
        if camera is None:
            self.name = shown_address(str(address))
            self._connect = stream_opener(
                str(address),
                open_timeout=open_timeout,
                read_timeout=read_timeout,
                limits=limits,
                options=options or {},
            )
        else:
            self.name = str(address)
            self._connect = camera_opener(camera, limits)
        self.info = None
        self.state: LiveState | None = None
        self._open_timeout = open_timeout
        self._start_timeout = None if wait_for_start else open_timeout
        self._max_delay = max_retry_delay
        self._reconnect = reconnect
        self._on_state = on_state
        self._newest = NewestPicture()
        self._closed = threading.Event()
        self._ending = threading.Lock()
        self._ended_told = False
        self._last_failure = ""  # why the last attempt or connection ended
        self._failure: str | None = None  # why it ended by itself
        self._error: Exception | None = None  # a fault of this program in the thread
        self._thread: threading.Thread | None = None

    @property
    def received(self) -> int:
        """Number of frames received."""
        return self._newest.received

    @property
    def dropped(self) -> int:
        """Number of frames that were received and never given, because a newer one came."""
        return max(self._newest.received - self._newest.taken, 0)

    def __iter__(self) -> Iterator[Frame]:
        """The newest frame, again and again: BGR, uint8, upright.

        Raises:
            SourceError: There is no first frame in time, or no hope of another one.
        """
        if self._thread is not None:
            raise RuntimeError(f"{self.name}: a live source is iterated once; make another reader for it")
        attempts = Attempts(start_timeout=self._start_timeout, max_delay=self._max_delay, reconnect=self._reconnect)
        self._thread = threading.Thread(
            target=self._receive, args=(attempts,), name=f"maskcheck live {self.name}", daemon=True
        )
        return self._frames(attempts, self._thread)

    def close(self, grace: float = _GRACE) -> None:
        """End the iteration, from any thread.

        Args:
            grace: Seconds to wait for the thread that receives. In a call that does not return, such as a connection
                to a host that is silent, it is left behind, and ends by itself after the time-outs.
        """
        first = not self._closed.is_set()
        self._closed.set()
        self._newest.end(at_once=True)
        thread = self._thread
        if first and thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(grace)
            if thread.is_alive():
                leave(thread)
        unregister(self)
        self._tell_ended("")

    def _frames(self, attempts: Attempts, thread: threading.Thread) -> Iterator[Frame]:
        if self._closed.is_set():
            return
        register(self)
        thread.start()
        first: float | None = None
        try:
            while not self._newest.ended:
                received = self._newest.take()
                if received is None:
                    deadline = attempts.start_deadline
                    # The thread ends soon after the deadline, and knows why; unless it hangs in a call.
                    if deadline is not None and monotonic() > deadline + GRACE:
                        why = f"; the last attempt: {self._last_failure}" if self._last_failure else ""
                        raise SourceError(f"{self.name}: no frame in {self._open_timeout:g} s{why}", source=self.name)
                    continue
                first = received.time if first is None else first
                image = received.picture()
                yield Frame(image, source=self.name, index=received.index, time=received.time - first)
            if self._error is not None and not self._closed.is_set():
                raise self._error
            if self._failure is not None and not self._closed.is_set():
                raise SourceError(f"{self.name}: {self._failure}", source=self.name)
        finally:
            self.close()

    def _receive(self, attempts: Attempts) -> None:
        """What the thread does: connect, receive, and again."""
        try:
            number = 0
            while not self._closed.is_set():
                failure = self._receive_once(attempts)
                if self._closed.is_set():
                    return
                self._last_failure = failure.reason
                delay = attempts.delay_after(failure)
                if delay is None:
                    self._failure = failure.reason
                    return
                number += 1
                # An outage of a day must not fill a log: 1, 2, 4, 8, ...
                self._tell("retrying", failure.reason, delay, loud=number & (number - 1) == 0)
                self._closed.wait(delay)
        except Exception as error:
            self._error = error
        finally:
            self._newest.end(at_once=False)
            self._tell_ended(self._failure or ("" if self._error is None else repr(self._error)))

    def _receive_once(self, attempts: Attempts) -> ConnectionFailure:
        """Receive the pictures of one connection; says why it ends."""
        self._tell("connecting")
        connected = False
        try:
            connection = self._connect()
            try:
                while not self._closed.is_set():
                    picture = connection.receive()
                    self.info = connection.info
                    if not connected:
                        connected = True
                        attempts.connected()
                        self._tell("connected")
                    self._newest.put(picture, monotonic())
            finally:
                connection.close()
        except ConnectionFailure as failure:
            if connected and not self._closed.is_set():
                self._tell("lost", failure.reason)
            # Its traceback would keep the connection, with the threads of its decoder, until garbage is collected.
            return failure.with_traceback(None)
        return ConnectionFailure("closed")

    def _tell(self, phase: Phase, reason: str = "", retry_in: float = 0.0, *, loud: bool = True) -> None:
        if self._closed.is_set() and phase != "ended":
            return
        self.state = state = LiveState(self.name, phase, reason, retry_in)
        warns = phase in ("lost", "retrying") or (phase == "ended" and reason)
        LOGGER.log((logging.WARNING if warns else logging.INFO) if loud else logging.DEBUG, "%s", state)
        if self._on_state is not None:
            try:
                self._on_state(state)
            except Exception:
                LOGGER.exception("%s: on_state failed", self.name)

    def _tell_ended(self, reason: str) -> None:
        with self._ending:
            told, self._ended_told = self._ended_told, True
        if not told and self.state is not None:
            self._tell("ended", reason)
