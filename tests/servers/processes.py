"""Servers that are processes of their own, so that they can be killed and frozen."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent


def free_port() -> int:
    """A port that nobody listens at."""
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
        """Start it, also again."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE if self._says_ready else subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if self._process.stdout is not None and not self._process.stdout.readline():
            raise AssertionError(f"the server did not start: {self._command}")

    def kill(self) -> None:
        """End it at once, without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        """Stop it: it keeps its connections, and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def mjpeg_process(port: int, *arguments: str) -> ServerProcess:
    """A camera that speaks MJPEG."""
    return ServerProcess([sys.executable, str(HERE / "mjpeg_server.py"), "--port", str(port), *arguments], port)
