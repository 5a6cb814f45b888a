"""Cameras and servers that are processes of their own, so that they can be killed and frozen."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from maskcheck import MaskCheckError


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class ServerProcess:
    """A process that serves; it can be killed, frozen and started again.

    Args:
        command: What to run.
        port: Where it listens.
        says_ready: Whether it prints a line when it listens, which `start` waits for.
    """

    def __init__(self, command: Sequence[str], port: int, *, says_ready: bool = True) -> None:
        self.port = port
        self._command = list(command)
        self._says_ready = says_ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, also again.

        Raises:
            MaskCheckError: It ends before it listens.
        """
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE if self._says_ready else subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if self._process.stdout is not None and not self._process.stdout.readline():
            raise MaskCheckError(f"the server did not start: {' '.join(self._command)}")

    def kill(self) -> None:
        """End it at once, without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Stop it: it keeps its connections, and says nothing. Not on Windows."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def camera_process(port: int, *arguments: str) -> ServerProcess:
    """A camera that speaks MJPEG; the arguments are those of :mod:`.mjpeg_camera`."""
    return ServerProcess(
        [sys.executable, "-m", "maskcheck_bench.live.mjpeg_camera", "--port", str(port), *arguments], port
    )
