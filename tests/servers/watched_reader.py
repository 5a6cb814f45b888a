"""A live reader that a thread iterates, so that a test can wait for what it gives and tells."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from waiting import wait_until

from maskcheck.frames import Frame
from maskcheck.sources.live import LiveReader, LiveState


class WatchedReader:
    """Iterates a live reader in a thread.

    Attributes:
        reader: The reader.
        frames: The frames that it gave.
        states: The states that it told.
        error: What the iteration raised.
    """

    def __init__(self, address: str | int, **options: Any) -> None:
        self.states: list[LiveState] = []
        self.frames: list[Frame] = []
        self.error: BaseException | None = None
        self.reader = LiveReader(address, on_state=self.states.append, **options)
        self._thread = threading.Thread(target=self._iterate)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def phases(self) -> list[str]:
        """The phases of the states, in order."""
        return [state.phase for state in self.states]

    def wait_for_frames(self, more: int = 3) -> None:
        """Wait until so many more frames came."""
        goal = len(self.frames) + more
        wait_until(lambda: len(self.frames) >= goal or self.error, f"{more} frames more, {self.states}")
        assert self.error is None, self.error

    def wait_for_phase(self, phase: str, times: int = 1) -> LiveState:
        """Wait until a phase was told so often; gives the last state of this phase."""
        wait_until(lambda: self.phases().count(phase) >= times, f"{phase} {times} times, {self.states}")
        return [state for state in self.states if state.phase == phase][-1]

    def wait_for_end(self) -> BaseException | None:
        """Wait until the iteration ends; gives what it raised."""
        wait_until(lambda: not self._thread.is_alive(), f"the end, {self.states}")
        return self.error

    def _iterate(self) -> None:
        try:
            for frame in self.reader:
                self.frames.append(frame)
        except BaseException as error:
            self.error = error
