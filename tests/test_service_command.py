"""``maskcheck serve`` as a process: its options, its end, and several workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from waiting import wait_until

from maskcheck.commands import main

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")

from running_service import picture

PATIENCE = 60
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGTERM to a process")

# Serves with a detector that says when it begins, and ends when a line comes on standard input.
WAITING = """
import sys
import numpy as np
from maskcheck import Detections
from maskcheck.service.server import serve
from maskcheck.service.settings import ServiceSettings

class Waiting:
    labels = ("covered", "bare")
    def detect(self, image, /):
        if image[0, 0, 0] == 1:
            print("begun", flush=True)
            sys.stdin.readline()
        return Detections.empty() if image[0, 0, 0] == 0 else Detections(
            np.array([[1, 1, 9, 9]], np.float32), np.ones(1, np.float32), None, np.array([[1, 0]], np.float32))

settings = ServiceSettings(pipeline={"detector": Waiting()}, grace=float(sys.argv[1]))
serve(settings, host="127.0.0.1", port=0, announce=lambda url: print(url, flush=True))
"""


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and its address."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        try:
            found = None
            for line in running.stdout:
                if found := re.search(r"http://[\d.:]+", line):
                    break
            assert found is not None
            url = found.group()
            wait_until(lambda: _ready(url), "the service is ready", seconds=PATIENCE)
            yield running, url
        finally:
            running.kill()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


def post(url: str, number: int) -> httpx.Response:
    headers = {"Content-Type": "image/png"}
    return httpx.post(f"{url}/v1/detect", content=picture(number), headers=headers, timeout=PATIENCE, trust_env=False)


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_accepted_requests_are_answered_at_the_end_and_new_ones_refused(number: signal.Signals) -> None:
    with process("-c", WAITING, "30") as (running, url), ThreadPoolExecutor(1) as pool:
        assert running.stdout is not None
        assert running.stdin is not None
        accepted = pool.submit(post, url, 1)
        assert running.stdout.readline() == "begun\n"

        running.send_signal(number)

        wait_until(lambda: not _ready(url), "it takes no more requests", seconds=PATIENCE)
        refused = post(url, 2)
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        running.stdin.write("go on\n")
        running.stdin.flush()
        assert accepted.result(PATIENCE).status_code == 200
        assert running.wait(PATIENCE) == 0


@posix_only
def test_a_request_that_hangs_holds_the_end_up_for_its_grace_alone() -> None:
    with process("-c", WAITING, "0.2") as (running, url), ThreadPoolExecutor(1) as pool:
        assert running.stdout is not None
        hanging = pool.submit(post, url, 1)
        assert running.stdout.readline() == "begun\n"

        running.send_signal(signal.SIGTERM)
        assert running.stdin is not None

        wait_until(lambda: hanging.done(), "the request is given up", seconds=PATIENCE)
        running.stdin.close()
        assert running.wait(PATIENCE) == 0


@posix_only
def test_workers_serve_together_and_share_their_counts() -> None:
    arguments = ("-m", "maskcheck", "serve", "--port", "0", "--workers", "2", "--max-queue", "100")
    with process(*arguments) as (running, url), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(url, 7), range(12)))
        text = httpx.get(f"{url}/metrics", trust_env=False, timeout=PATIENCE).text

        assert {answer.status_code for answer in answers} == {200}
        assert 'maskcheck_requests_total{route="/v1/detect",status="200"} 12.0' in text.splitlines()
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 0


def test_an_address_that_another_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port)])

    assert result.exit_code == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in result.output
    assert "--port" in result.output


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    done = subprocess.run(
        [sys.executable, "-m", "maskcheck", "serve", "--port", "0", "--model", str(broken)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert done.returncode == 2
    assert "broken.onnx" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--detector", "nothing"], "nothing"),
        (["--max-pictures", "0"], "--max-pictures"),
        (["--min-score", "2"], "--min-score"),
        (["--port", "70000"], "--port"),
    ],
)
def test_options_that_are_wrong(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["serve", "--port", "0", *arguments])

    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize("content", ["", "# only a comment\n\n"])
def test_a_file_without_tokens_is_refused(tmp_path: Path, content: str) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(content, encoding="utf-8")

    result = CliRunner().invoke(main, ["serve", "--port", "0", "--token-file", str(tokens)])

    assert result.exit_code == 2
    assert "expected a token in each line" in result.output


def test_tokens_of_a_file_and_of_the_environment(tmp_path: Path) -> None:
    from maskcheck.service.tokens import read_tokens

    file = tmp_path / "tokens.txt"
    file.write_text("# the door\nfirst\n  second ä \n", encoding="utf-8")

    assert read_tokens(file, "third") == ("first", "second ä", "third")
    assert read_tokens(None, None) == ()
    with pytest.raises(ValueError, match="MASKCHECK_TOKENS"):
        read_tokens(None, " ")


def test_the_help_lists_options_in_sections() -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output

    for title in ("Server:", "Who may use it:", "Limits of requests:", "Limits of pictures:"):
        assert title in text


def test_the_sdk_does_not_import_the_service() -> None:
    code = "import sys, json, maskcheck, maskcheck.pipeline, maskcheck.commands; print(json.dumps(list(sys.modules)))"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert not {"fastapi", "starlette", "uvicorn", "pydantic", "prometheus_client"} & set(json.loads(done.stdout))


def test_the_client_of_the_examples(examples: Path, tmp_path: Path) -> None:
    pytest.importorskip("websockets", reason="the service needs `pip install maskcheck[serve]`")
    from running_service import NumberedDetector, running

    from maskcheck import MaskPipeline

    script, copy = examples / "service_client.py", tmp_path / "copy.jpg"
    paths = []
    for number in (10, 12):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(picture(number))
    with running(MaskPipeline(NumberedDetector())) as server:

        def run(*arguments: object) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, str(script), "--url", server.url, *map(str, arguments)]
            return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)

        single = run(*paths, "--annotated", copy)
        stream = run(*paths, "--stream")
        wrong = run(script)

    results = [json.loads(line) for line in single.stdout.splitlines()]
    assert [result["faces"][0]["box"][0] for result in results] == [10, 12]
    assert copy.read_bytes().startswith(b"\xff\xd8")
    assert [json.loads(line)["faces"][0]["track_id"] for line in stream.stdout.splitlines()] == [1, 1]
    assert wrong.returncode == 1
    assert "not a picture" in wrong.stderr


def test_no_thread_is_left() -> None:
    from running_service import NumberedDetector, running

    from maskcheck import MaskPipeline

    before = threading.active_count()
    with running(MaskPipeline(NumberedDetector())) as server:
        assert server.post(picture(3)).status_code == 200
    wait_until(lambda: threading.active_count() <= before, "the threads have ended")


@pytest.mark.skipif(not hasattr(socket, "TCP_NODELAY"), reason="the system has no TCP_NODELAY")
def test_answers_do_not_wait_for_acknowledgements() -> None:
    from maskcheck.service.server import listen

    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
