"""A camera that speaks MJPEG over HTTP: ``python -m maskcheck_bench.live.mjpeg_camera --port 8080``.

It prints a line when it listens. Each picture carries a number: of the pictures that the camera took before it, or with
``--clock`` the time when it was taken, from which its delay can be told.
"""

from __future__ import annotations

import argparse
import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, time

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck_bench.live.marked_pictures import marked_jpeg, plain_picture

CLOCK_TICKS = 10_000
"""Ticks a second of the clock whose time pictures carry."""


def clock() -> int:
    """Ticks since midnight."""
    return int(time() * CLOCK_TICKS) % (86_400 * CLOCK_TICKS)


class MjpegCamera(ThreadingHTTPServer):
    """Takes a picture at each tick, and sends it to all who listen."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, picture: NDArray[np.uint8], *, rate: float, login: str, shows_time: bool) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        self.ticked = threading.Condition()
        self.jpeg = b""
        self._picture = picture
        self._shows_time = shows_time
        threading.Thread(target=self._tick, args=(1 / rate,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is nothing to tell."""

    def _tick(self, period: float) -> None:
        number = 0
        pause = threading.Event()
        due = monotonic()
        while not pause.wait(max(due - monotonic(), 0)):
            jpeg = marked_jpeg(clock() if self._shows_time else number, self._picture)
            number += 1
            with self.ticked:
                self.jpeg = jpeg
                self.ticked.notify_all()
            due = max(due + period, monotonic() - 1)


class _Handler(BaseHTTPRequestHandler):
    server: MjpegCamera

    def do_GET(self) -> None:
        if self.server.authorization not in (None, self.headers.get("Authorization")):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        while True:
            with self.server.ticked:
                self.server.ticked.wait()
                jpeg = self.server.jpeg
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=30.0, help="pictures a second")
    parser.add_argument("--size", default="640x360", help="of its pictures, in pixels")
    parser.add_argument("--picture", help="a picture file that it sees all the time, in its size")
    parser.add_argument("--login", default="", help="NAME:PASSWORD that it wants")
    parser.add_argument("--clock", action="store_true", help="pictures carry the time")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    picture = plain_picture((width, height))
    if options.picture:
        seen = cv2.imread(options.picture)
        if seen is None:
            parser.error(f"cannot read {options.picture}")
        picture = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    camera = MjpegCamera(options.port, picture, rate=options.rate, login=options.login, shows_time=options.clock)
    print(f"listening on port {camera.server_address[1]}", flush=True)
    camera.serve_forever()


if __name__ == "__main__":
    main()
