"""A camera that speaks MJPEG over HTTP: ``python mjpeg_server.py --port 8080``. It prints a line when it listens.

Each picture carries a number: those that the camera took before it, or with ``--clock`` the milliseconds of the
machine's clock since midnight, from which the delay of a picture can be told.
"""

from __future__ import annotations

import argparse
import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, time

from marked_pictures import marked_jpeg

_DAY = 86_400_000


def clock_milliseconds() -> int:
    """Milliseconds since midnight."""
    return int(time() * 1000) % _DAY


class MjpegServer(ThreadingHTTPServer):
    """Takes a picture at each tick, and sends it to all who listen."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, port: int, *, rate: float = 30.0, size: tuple[int, int] = (640, 360), login: str = "", clock: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.size = size
        self.authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        self.clock = clock
        self.ended = threading.Event()
        self.ticked = threading.Condition()
        self.jpeg = b""
        self.number = 0
        threading.Thread(target=self._tick, args=(1 / rate,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is nothing to tell."""

    def _tick(self, period: float) -> None:
        due = monotonic()
        while not self.ended.wait(max(due - monotonic(), 0)):
            jpeg = marked_jpeg(clock_milliseconds() if self.clock else self.number, self.size)
            with self.ticked:
                self.jpeg = jpeg
                self.number += 1
                self.ticked.notify_all()
            due = max(due + period, monotonic() - 1)


class _Handler(BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        if self.server.authorization not in (None, self.headers.get("Authorization")):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        while not self.server.ended.is_set():
            with self.server.ticked:
                self.server.ticked.wait(1)
                jpeg = self.server.jpeg
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--login", default="", help="NAME:PASSWORD that it wants")
    parser.add_argument("--clock", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    server = MjpegServer(
        options.port, rate=options.rate, size=(width, height), login=options.login, clock=options.clock
    )
    print(f"listening on port {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
