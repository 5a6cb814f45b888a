"""Exit statuses of every command, and the immediate end of a process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

SUCCESS = 0
SOMETHING_FAILED = 1  # it finished, but a picture could not be read or a check was not met
CANNOT_RUN = 2  # also click's own status for wrong usage
INTERRUPTED = 130  # by Ctrl-C: 128 + SIGINT, the convention of shells
TERMINATED = 143  # 128 + SIGTERM


def end_process(status: int) -> NoReturn:
    """End the process at once, after writing what was printed: Python's own end would wait for threads that hang."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            with suppress(OSError, RuntimeError):  # RuntimeError: a signal came in the middle of writing
                stream.flush()
    os._exit(status)
