"""What the clients talk to, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep

from maskcheck import MaskPipeline
from maskcheck.errors import MaskCheckError


@dataclass(frozen=True)
class Setup:
    """What finds and labels the faces.

    Attributes:
        detector: Name of the detector.
        options: Its options.
        model: The classifier's model; None for the embedded one.
    """

    detector: str
    options: Mapping[str, str]
    model: str | None

    def pipeline(self) -> MaskPipeline:
        """A pipeline of it, in this process."""
        return MaskPipeline(self.detector, detector_options=self.options, model=self.model)

    def arguments(self) -> list[str]:
        """As options of the command line."""
        pairs = [text for name, value in self.options.items() for text in ("--detector-option", f"{name}={value}")]
        return ["--detector", self.detector, *pairs, *(["--model", self.model] if self.model else [])]


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        port: Its port.
        pid: Its process.
    """

    port: int
    pid: int

    def get(self, path: str) -> str:
        """What is at an address."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            text: str = answer.read().decode()
        return text


@contextmanager
def service(setup: Setup, options: Sequence[str] = ()) -> Iterator[Server]:
    """``maskcheck serve``."""
    with _started([sys.executable, "-m", "maskcheck", "serve", "--port", "0", *setup.arguments(), *options]) as server:
        yield server


@contextmanager
def naive_service(setup: Setup) -> Iterator[Server]:
    """A service as one writes it in ten lines: each request calls the pipeline by itself, in a thread."""
    with _started([sys.executable, "-m", "maskcheck_bench.service.naive", *setup.arguments()]) as server:
        yield server


@contextmanager
def _started(command: Sequence[str]) -> Iterator[Server]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    server = Server(int(found.group(1)), process.pid)
                    break
            else:
                raise MaskCheckError(f"{' '.join(command)} does not start: {''.join(said).strip()}")
            _await_readiness(server)
            yield server
        finally:
            process.terminate()


def _await_readiness(server: Server) -> None:
    for _ in range(600):
        try:
            server.get("/readyz")
        except (urllib.error.URLError, ConnectionError):
            sleep(0.1)
        else:
            return
    raise MaskCheckError("the service is not ready within a minute")
