"""Limits of time for loading and running models."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

_EXIT_WAIT = 5.0  # seconds at the end of the process, which would crash if the runtime were still loading a model

_abandoned: list[threading.Thread] = []


class TimeIsOver(Exception):
    """The work took longer than its limit."""


class RunLimit:
    """Ends a run of a session when its time is over, between two operations of the model.

    Args:
        seconds: The limit, which starts now.
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
        """Stop the clock when the run has ended; its options may then be used again."""
        self._timer.cancel()
        if self.passed:
            self._options.terminate = False


def do_within(seconds: float, work: Callable[[], Result]) -> Result:
    """Do `work` in a thread of its own, and return or raise what it does.

    Args:
        seconds: The limit. After it, the thread goes on by itself: nothing can stop the runtime while it loads a model.
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
        _abandoned.append(thread)
        raise TimeIsOver
    return results[0]


@atexit.register
def _wait_for_threads() -> None:
    for thread in _abandoned:
        thread.join(_EXIT_WAIT / len(_abandoned))
