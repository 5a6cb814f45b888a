"""Servers that are processes of their own, so that they can be killed and frozen."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

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


def rtsp_process(port: int, login: str = "") -> ServerProcess:
    """A camera that speaks RTSP; the test is skipped where GStreamer's server is absent."""
    python = "/usr/bin/python3"
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst; Gst.init(None);"
    probe += "import sys; sys.exit(not Gst.ElementFactory.find('x264enc'))"
    if not Path(python).exists() or subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode:
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-ugly")
    return ServerProcess([python, str(HERE / "rtsp_server.py"), str(port), *([login] if login else [])], port)


def mpegts_process(address: str, port: int) -> ServerProcess:
    """MPEG-TS by ffmpeg, which serves one client, or sends by UDP; the test is skipped where the program is absent."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs the program ffmpeg")
    video = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-c:v", "mpeg2video", "-g", "10", "-bf", "0"]
    listen = [] if address.startswith("udp") else ["-listen", "1"]
    return ServerProcess([program, "-v", "error", *video, "-f", "mpegts", *listen, address], port, says_ready=False)
