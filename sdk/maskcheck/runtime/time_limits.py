"""Limits of time for what ONNX Runtime does."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


_LAST_WAIT = 5.0  # seconds at the end of the process: the runtime aborts it if it is loading then

_left_alone: list[threading.Thread] = []


class TimeIsOver(Exception):
    """What was to be done is not done."""


class RunLimit:
    """Ends a run of a session when its time is over: between two operations of the model, as the runtime looks then.

    Args:
        seconds: The limit; it counts from now.
        options: The ``RunOptions`` of the run.
    """

    def __init__(self, seconds: float, options: Any) -> None:
        self.seconds = seconds
        self.passed = False
        self._options = options
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.passed = True
        self._options.terminate = True

    def cancel(self) -> None:
        """The run has ended; the options may be used again."""
        self._timer.cancel()
        if self.passed:
            self._options.terminate = False


def do_within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, in a thread of its own.

    Args:
        seconds: The limit. When it is over the thread is left alone: nothing ends the runtime while it loads a model.
        work: What to do.

    Raises:
        TimeIsOver: `work` takes longer.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # it is raised in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="maskcheck-load", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        _left_alone.append(thread)
        raise TimeIsOver
    return results[0]


@atexit.register
def _wait_for_threads() -> None:
    for thread in _left_alone:
        thread.join(_LAST_WAIT / len(_left_alone))
