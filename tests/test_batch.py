"""``maskcheck batch`` on this machine: a row for each face, whatever the pictures do and whenever it is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from marked_detector import HANGS, KILLS, KILLS_ONCE, MarkedDetector, eventually
from PIL import Image

from maskcheck import MaskPipeline
from maskcheck.commands import main

pyarrow = pytest.importorskip("pyarrow", reason="maskcheck batch needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

from maskcheck.commands.batch.engines import LocalEngine  # noqa: E402
from maskcheck.commands.batch.plan import part_size  # noqa: E402
from maskcheck.commands.batch.run import BatchSettings, run_batch  # noqa: E402


def save(path: Path, shade: int, mark: int = 0, size: int = 24) -> Path:
    """A grey picture of 24 x 24 pixels; its first pixel may be a mark for :class:`MarkedDetector`."""
    image = np.full((size, size, 3), shade, np.uint8)
    image[0, 0] = mark
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., ::-1]).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve pictures in two folders, a file that is none, and a text."""
    folder = tmp_path / "pictures"
    for number in range(12):
        save(folder / "ab"[number % 2] / f"{number:02}.png", 10 + 16 * number)
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("notes")
    return folder


def rows(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(output).to_pylist()
    return sorted(found, key=lambda row: (row["source"], row["frame"]))


def report(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "_job" / "report.json").read_text())
    return found


def test_rows_are_those_of_detect_with_an_id_of_the_content(
    pictures: Path, batch: Callable[..., Result], toy_model: Path, tmp_path: Path
) -> None:
    done = batch(pictures, "--output", tmp_path / "out")

    assert done.exit_code == 1, done.output  # one is no picture
    arguments = ["detect", str(pictures), "--output", str(tmp_path / "local"), "--format", "parquet", "--no-images"]
    CliRunner().invoke(main, [*arguments, "--no-detector", "--model", str(toy_model)])
    expected = parquet.read_table(tmp_path / "local" / "results.parquet")
    table = parquet.read_table(tmp_path / "out")
    assert table.schema.names == ["id", *expected.schema.names]
    found = rows(tmp_path / "out")
    ids = [row.pop("id") for row in found]
    assert found == sorted(expected.to_pylist(), key=lambda row: str(row["source"]))
    assert ids == [sha256(Path(row["source"]).read_bytes()).hexdigest() for row in found]
    content = report(tmp_path / "out")
    assert (content["pictures"], content["faces"], content["errors"]) == (13, 12, {"ImageError": 1})
    assert content["made_with"][0]["model"] == toy_model.name
    assert "13 pictures, 12 faces, 1 failed" in done.output
    assert "1 file that is no picture (1 .txt)" in done.output
    assert multiprocessing.active_children() == []


def test_a_picture_that_kills_or_hangs_is_tried_twice_and_has_a_row_with_the_error(
    toy_model: Path, tmp_path: Path
) -> None:
    for number, mark in enumerate([0, KILLS, 0, HANGS, KILLS_ONCE, 0]):
        save(tmp_path / "in" / f"{number}.png", 40 * number, mark)
    pipeline = MaskPipeline(MarkedDetector(tmp_path), model=toy_model, min_score=0.0)
    settings = BatchSettings((str(tmp_path / "in"),), str(tmp_path / "out"), timeout=1.5)

    status = run_batch(settings, pipeline, LocalEngine(1))

    found = rows(tmp_path / "out")
    assert status == 1
    assert [Path(row["source"]).name for row in found] == [f"{number}.png" for number in range(6)]
    assert [(row["error"] or "").partition(":")[0] for row in found] == ["", "WorkerDied", "", "PictureTimeout", "", ""]
    assert all(row["id"] for row in found)
    content = report(tmp_path / "out")
    assert content["errors"] == {"PictureTimeout": 1, "WorkerDied": 1}
    assert [Path(source).name for source in content["quarantined"]] == ["1.png", "3.png"]
    assert content["retries"] == 4  # the killer twice, what hangs twice; what kills once had its turn in these


def test_a_run_that_is_killed_goes_on_with_what_is_missing(toy_model: Path, tmp_path: Path) -> None:
    for number in range(60):
        save(tmp_path / "in" / f"{number:02}.png", 4 * number)
    options = ["--detector", "whole-picture", "--model", str(toy_model), "--workers", "1", "--part-size", "3"]

    def start(output: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "maskcheck", "batch", "in", "--output", output, *options, *more]
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    killed = start("out")
    assert eventually(lambda: len(list((tmp_path / "out").glob("part-*.parquet"))) >= 3)
    killed.kill()
    killed.wait()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*.parquet")}
    (tmp_path / "out" / f".part-00000009.parquet.{'0' * 32}.part").write_bytes(b"half")
    assert 3 <= len(before) < 20

    status = start("out", "--resume").wait()

    assert status == 0
    assert start("calm").wait() == 0
    assert rows(tmp_path / "out") == rows(tmp_path / "calm")
    assert len(rows(tmp_path / "out")) == 60
    assert {path: path.stat().st_mtime_ns for path in before} == before
    content = report(tmp_path / "out")
    assert (content["pictures"], content["resumed"]) == (60, 3 * len(before))
    assert content["this_run"]["pictures"] == 60 - content["resumed"]
    assert not list((tmp_path / "out").glob(".*"))
    for name in before:
        assert name.read_bytes() == (tmp_path / "calm" / name.name).read_bytes()


def test_its_processes_end_with_it(toy_model: Path, tmp_path: Path) -> None:
    save(tmp_path / "in" / "0.png", 9, HANGS)
    code = f"""
from pathlib import Path
from maskcheck import MaskPipeline
from maskcheck.commands.batch.engines import LocalEngine
from maskcheck.commands.batch.run import BatchSettings, run_batch
from marked_detector import MarkedDetector
if __name__ == "__main__":
    pipeline = MaskPipeline(MarkedDetector(Path({str(tmp_path)!r})), model={str(toy_model)!r}, min_score=0.0)
    settings = BatchSettings(({str(tmp_path / "in")!r},), {str(tmp_path / "out")!r})
    run_batch(settings, pipeline, LocalEngine(1))
"""
    (tmp_path / "hanging.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "detectors")}
    process = subprocess.Popen([sys.executable, str(tmp_path / "hanging.py")], env=environment)
    assert eventually(lambda: bool(_children_of(process.pid)))
    alive = _children_of(process.pid)

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in alive))


def test_a_job_that_is_there_is_neither_overwritten_nor_mixed(
    pictures: Path, batch: Callable[..., Result], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert batch(pictures, "--output", output).exit_code == 1
    before = rows(output)

    again = batch(pictures, "--output", output)
    other = batch(pictures, "--output", output, "--resume", "--max-side", "10")

    assert (again.exit_code, other.exit_code) == (2, 2)
    assert "holds a job of 13 pictures already" in again.output
    assert "--resume" in again.output
    assert "max_side was 65500, now 10" in other.output
    assert rows(output) == before


def test_pictures_that_are_new_are_added(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    output = tmp_path / "out"
    batch(pictures, "--output", output, "--part-size", "5")
    save(pictures / "a" / "05b.png", 77)

    done = batch(pictures, "--output", output, "--part-size", "5", "--resume")

    assert done.exit_code == 1
    sources = [row["source"] for row in rows(output)]
    assert len(sources) == len(set(sources)) == 14
    content = report(output)
    assert (content["resumed"], content["this_run"]["pictures"]) == (13, 1)
    assert batch(pictures, "--output", output, "--resume").exit_code == 1
    assert report(output)["this_run"]["pictures"] == 0


def test_a_damaged_part_is_made_anew(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    output = tmp_path / "out"
    batch(pictures, "--output", output, "--part-size", "5")
    before = rows(output)
    part = output / "part-00000001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    (output / "part-00000002.parquet").unlink()

    batch(pictures, "--output", output, "--resume")

    assert rows(output) == before
    assert report(output)["resumed"] == 5


def test_what_failed_is_tried_again_on_request(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    output = tmp_path / "out"
    batch(pictures, "--output", output, "--part-size", "5")
    shutil.copy(pictures / "a" / "00.png", pictures / "bad.jpg")

    assert batch(pictures, "--output", output, "--resume").exit_code == 1
    done = batch(pictures, "--output", output, "--resume", "--retry-failed")

    assert done.exit_code == 0, done.output
    assert report(output)["errors"] == {}
    assert 0 < report(output)["this_run"]["pictures"] <= 5
    assert len(rows(output)) == 13


@pytest.mark.parametrize("command", ["batch", "detect"])
def test_what_failed_is_tried_again_only_where_a_job_goes_on(command: str, tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, [command, str(tmp_path), "--output", str(tmp_path / "out"), "--retry-failed"])

    assert refused.exit_code == 2
    assert "expected --resume as well" in refused.output
    assert not (tmp_path / "out").exists()


def test_its_report_follows_the_schema(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    batch(pictures, "--output", tmp_path / "out")

    schema = json.loads(CliRunner().invoke(main, ["schema", "batch"], catch_exceptions=False).stdout)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(report(tmp_path / "out"))
    assert set(report(tmp_path / "out")) == set(schema["properties"]) == set(schema["required"])


def test_one_run_at_a_time(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    from maskcheck.commands.detect.result_files.safe_files import locked

    (tmp_path / "out" / "_job").mkdir(parents=True)
    with locked(tmp_path / "out" / "_job" / "lock"):
        done = batch(pictures, "--output", tmp_path / "out")

    assert done.exit_code == 2
    assert "another run is writing" in done.output


def test_shares_hold_each_picture_once(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    sources = []
    for number in (1, 2, 3):
        output = tmp_path / f"share-{number}"
        batch(pictures, "--output", output, "--share", f"{number}/3")
        sources += [row["source"] for row in rows(output)] if list(output.glob("*.parquet")) else []

    assert len(sources) == len(set(sources)) == 13
    wrong = batch(pictures, "--output", tmp_path / "wrong", "--share", "4/3")
    assert "expected I/N" in wrong.output


def test_lists_patterns_and_what_is_not_there(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{pictures}/a/*.png\n{pictures}/a/00.png\n")
    missing = tmp_path / "missing.png"

    done = batch(f"@{tmp_path / 'list.txt'}", missing, "--output", tmp_path / "out")

    assert done.exit_code == 1
    assert f"failed: no such file or folder: {missing}" in done.output
    found = rows(tmp_path / "out")
    assert [Path(row["source"]).name for row in found] == ["missing.png", *(f"{n:02}.png" for n in range(0, 12, 2))]
    assert found[0]["id"] is None
    assert found[0]["error"].startswith("SourceError: no such file")
    assert "1 named twice" in done.output


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8")
def test_a_name_that_is_no_utf8_has_a_row(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    strange = os.fsencode(pictures) + b"/a/\xff.png"
    shutil.copyfile(pictures / "a" / "00.png", strange)

    done = batch(pictures, "--output", tmp_path / "out")

    assert done.exit_code == 1
    assert [row["error"] for row in rows(tmp_path / "out") if "\\udcff" in row["source"]] == [None]


def test_options_of_ray_are_refused_without_it(pictures: Path, batch: Callable[..., Result], tmp_path: Path) -> None:
    done = batch(pictures, "--output", tmp_path / "out", "--gpus", "0.5")

    assert done.exit_code == 2
    assert "--gpus: only for --engine ray" in done.output


def test_without_ray_it_says_what_to_install(
    pictures: Path, batch: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    done = batch(pictures, "--output", tmp_path / "out", "--engine", "ray")

    assert done.exit_code == 2
    assert 'pip install "maskcheck[cpu,ray]"' in done.output
    assert not (tmp_path / "out").exists()


def test_a_detector_that_cannot_load_ends_the_run(toy_model: Path, pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["batch", str(pictures), "--output", str(output), "--model", str(tmp_path / "none.onnx")]

    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 2
    assert "none.onnx" in done.output
    assert not list(output.glob("*.parquet"))
    assert toy_model.exists()


@pytest.mark.parametrize(("pictures", "size"), [(1, 20), (5_000, 79), (64_000, 1000), (10**9, 1000)])
def test_small_jobs_have_a_part_for_each_of_many_workers(pictures: int, size: int) -> None:
    assert part_size(pictures) == size


def _children_of(pid: int) -> list[int]:
    """Processes that label pictures for a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{pid}\n" in status.read_text() and b"spawn_main" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found
