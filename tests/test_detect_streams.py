"""Standard streams of ``maskcheck``: closed, of another encoding, with output of plugins, or read as a picture."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

posix = pytest.mark.skipif(os.name == "nt", reason="by a POSIX shell")

# It prints when it is imported and when it runs, by Python and by the file descriptor, as a native library does.
PLUGIN = """
import os
import numpy as np
from maskcheck import Detections, DetectorSpec, hookimpl

print("imported")

class Loud:
    def detect(self, image):
        print("a face", flush=True)
        os.write(1, b"libfaces 1.0\\n")
        return Detections(np.array([[0, 0, 20, 20]], np.float32), np.ones(1, np.float32))

@hookimpl
def maskcheck_register_detectors():
    return [DetectorSpec("loud", "prints", Loud, api_version=1)]
"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 40), "grey").save(path)
    return path


@pytest.fixture
def shell(tmp_path: Path, toy_model: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs a line of shell in which ``$detect`` is the command with the toy model."""

    def run(line: str, data: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        detect = f"{sys.executable} -m maskcheck detect --model {toy_model}"
        everything = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "detect": detect, **environment}
        return subprocess.run(
            ["/bin/bash", "-c", line],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            env=everything,
            check=False,
            timeout=120,
        )

    return run


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


@posix
def test_standard_output_is_only_json_whatever_a_plugin_prints(
    shell: Callable[..., subprocess.CompletedProcess[bytes]],
    picture: Path,
    install_plugin: Callable[[str, str], Path],
) -> None:
    site = install_plugin("loud", PLUGIN)

    result = shell(f"$detect --detector loud --json - {picture}", PYTHONPATH=os.pathsep.join([str(site), *sys.path]))

    assert result.returncode == 0, result.stderr
    assert [len(line["faces"]) for line in lines(result.stdout)] == [1]
    assert set(result.stderr.split(b"\n")) >= {b"imported", b"a face", b"libfaces 1.0"}


@posix
def test_json_on_a_closed_standard_output_is_wrong_usage(
    shell: Callable[..., subprocess.CompletedProcess[bytes]], picture: Path
) -> None:
    result = shell(f"$detect --json - {picture} >&-")

    assert result.returncode == 2
    assert b"standard output is closed" in result.stderr
    assert b"Traceback" not in result.stderr


@posix
@pytest.mark.usefixtures("picture")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_results_are_written_if_standard_streams_are_closed(
    shell: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path, closed: str
) -> None:
    result = shell(f"$detect --json r.jsonl --output out a.png absent.png {closed}")

    assert result.returncode == 1  # as a picture is absent
    assert [line["source"] for line in lines((tmp_path / "r.jsonl").read_bytes())] == ["a.png", "absent.png"]
    assert (tmp_path / "r.jsonl").read_bytes() == (tmp_path / "out" / "results.jsonl").read_bytes()
    with Image.open(tmp_path / "out" / "a.png") as copy:
        assert copy.size == (50, 40)


@posix
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_standard_output_cannot_encode_is_written_with_escapes(
    shell: Callable[..., subprocess.CompletedProcess[bytes]], picture: Path, encoding: str
) -> None:
    picture.rename(picture.with_name("写真.png"))

    result = shell("$detect *.png", PYTHONIOENCODING=encoding)

    assert result.returncode == 0, result.stderr
    assert ("写真.png" if encoding == "utf-8" else r"\u5199\u771f.png") in result.stdout.decode(encoding)


@posix
@pytest.mark.parametrize("arguments", ["", "--json -", "--format csv"])
def test_the_run_ends_quietly_when_its_reader_ends(
    shell: Callable[..., subprocess.CompletedProcess[bytes]], picture: Path, arguments: str
) -> None:
    for number in range(5):
        picture.with_name(f"{number}.png").write_bytes(picture.read_bytes())

    result = shell(f"{{ $detect *.png {arguments}; echo $? >status; }} | true")

    assert result.stderr == b""
    assert (picture.parent / "status").read_text() in ("0\n", "1\n")


@posix
def test_a_run_that_writes_files_goes_on_when_the_reader_of_its_table_ends(
    shell: Callable[..., subprocess.CompletedProcess[bytes]], picture: Path, tmp_path: Path
) -> None:
    for number in range(5):
        picture.with_name(f"{number}.png").write_bytes(picture.read_bytes())

    result = shell("set -o pipefail; $detect *.png --output out | true")

    assert (result.returncode, result.stderr) == (0, b"")
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 6


@posix
@pytest.mark.parametrize(
    ("line", "source", "copy"),
    [
        ("$detect - --json - --output out <{0}", "-", "stdin{1}"),
        ("cat {0} | $detect /dev/stdin --json - --output out", "/dev/stdin", "stdin{1}"),
        ("$detect <(cat {0}) --json - --output out", "/dev/fd/", "pipe-63{1}"),
        ("mkfifo p{1}; cat {0} >p{1} & $detect p{1} --json - --output out", "p{1}", "p{1}"),
    ],
)
@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_picture_from_a_pipe_is_read_once_and_annotated(
    shell: Callable[..., subprocess.CompletedProcess[bytes]],
    tmp_path: Path,
    line: str,
    source: str,
    copy: str,
    ending: str,
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (50, 40), "grey").save(tmp_path / "in" / f"a{ending}")

    result = shell(line.format(f"in/a{ending}", ending))

    assert result.returncode == 0, result.stderr
    (answer,) = lines(result.stdout)
    assert answer["source"].startswith(source.format("", ending))
    assert (answer["width"], answer["height"], answer["frame"]) == (50, 40, 0)
    with Image.open(tmp_path / "out" / copy.format("", ending)) as written:
        assert written.size == (50, 40)


@posix
@pytest.mark.usefixtures("picture")
def test_a_pipe_that_gives_more_than_the_limit_is_an_error(
    shell: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    result = shell("$detect - a.png --json - --max-megabytes 1 </dev/zero")

    first, second = lines(result.stdout)
    assert result.returncode == 1
    assert first["error"]["message"] == (
        "- has more than the limit of 1 megabytes; raise max_file_bytes (--max-megabytes) to allow it"
    )
    assert second["error"] is None


@posix
@pytest.mark.usefixtures("picture")
def test_standard_input_that_is_empty_or_closed_is_an_error(
    shell: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    empty = lines(shell("$detect - a.png --json - </dev/null").stdout)
    closed = lines(shell("$detect - a.png --json - <&-").stdout)

    assert [line["error"] is None for line in empty] == [False, True]
    assert [line["error"] is None for line in closed] == [False, True]


def test_python_m_maskcheck_runs_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "maskcheck", "--version"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0
    assert result.stdout.startswith("maskcheck, version ")


def test_a_windowed_program_has_no_standard_streams(
    picture: Path, toy_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskcheck.commands import main

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    with pytest.raises(SystemExit) as ended:
        main(["detect", "--model", str(toy_model), str(picture), "--json", str(tmp_path / "r.jsonl")])

    monkeypatch.undo()
    assert ended.value.code == 0
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1


def test_a_host_that_captures_standard_output_gets_only_the_json(
    picture: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskcheck.commands import main

    captured, errors = io.StringIO(), io.StringIO()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setattr(sys, "stdout", captured)
    monkeypatch.setattr(sys, "stderr", errors)

    main(["detect", "--model", str(toy_model), str(picture), "--json", "-"], standalone_mode=False)

    monkeypatch.undo()
    assert len(lines(captured.getvalue().encode())) == 1
