"""A TCP server of this process that does with each connection what a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from maskcheck_bench.live.marked_pictures import marked_jpeg, plain_picture

Script = Callable[[socket.socket, bytes, threading.Event], None]
"""Called with a connection, the request that came on it, and what is set at the end of the server."""

MJPEG_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"


def mjpeg_part(jpeg: bytes) -> bytes:
    """A picture as a part of a stream."""
    return b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)


def numbered_jpeg(number: int, size: tuple[int, int] = (640, 360)) -> bytes:
    """A picture that carries a number."""
    return marked_jpeg(number, plain_picture(size))


def some_pictures(number: int, size: tuple[int, int] = (640, 360)) -> bytes:
    """An MJPEG answer with so many pictures."""
    return MJPEG_HEAD + b"".join(mjpeg_part(numbered_jpeg(index, size)) for index in range(number))


class ScriptedServer:
    """Listens at a free port of this machine; each connection is given to the script, in a thread of its own.

    Attributes:
        port: Where it listens.
        requests: What came on each connection, up to the first empty line.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self._script = script
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self.requests: list[bytes] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def http(self) -> str:
        """Its address for HTTP."""
        return f"http://127.0.0.1:{self.port}/camera"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            request = b""
            try:
                while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                    request += more
                self.requests.append(request)
                self._script(connection, request, self._ended)
            except OSError:  # the client went away
                pass
