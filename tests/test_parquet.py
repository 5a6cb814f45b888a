"""Results as Parquet: the columns of CSV, with types."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck import Face, FrameResult, ImageError, PackageNotInstalled
from maskcheck.commands import main
from maskcheck.commands.detect.result_files import parquet_writer
from maskcheck.commands.detect.result_files.parquet_writer import is_own_parquet, write_parquet
from maskcheck.commands.detect.result_files.result_writers import open_results

pyarrow = pytest.importorskip("pyarrow", reason="results in Parquet need pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

LABELS = ("with_mask", "without_mask")


def face(**others: Any) -> Face:
    return Face((1, 2, 30, 40), "with_mask", 0.75, {"with_mask": 0.75, "without_mask": 0.25}, **others)


RUN = (
    FrameResult((face(detection_score=0.5, face=0.875), face()), (60, 50), source="a.jpg", notes=("dark", "cut")),
    FrameResult((), (60, 50), source="empty.jpg"),
    FrameResult((), (0, 0), source="\udce9t\udce9 口罩.jpg", error=ImageError("it is empty")),
    FrameResult(
        (face(track_id=7, predicted=True, landmarks=((1.5, 2.0), (3.0, 4.25))),),
        (60, 50),
        source="v.mp4",
        frame=12,
        time=0.48,
    ),
)


def written(path: Path, results: tuple[FrameResult, ...] = RUN) -> Any:
    with path.open("wb") as stream:
        write_parquet(stream, (result.to_dict() for result in results), LABELS)
    return parquet.read_table(path)


def test_there_is_a_row_for_each_face_and_for_each_picture_without_faces(tmp_path: Path) -> None:
    rows = written(tmp_path / "r.parquet").to_pylist()

    first, second, empty, failed, frame = rows
    assert first == {
        "source": "a.jpg",
        "frame": 0,
        "width": 60,
        "height": 50,
        "x1": 1,
        "y1": 2,
        "x2": 30,
        "y2": 40,
        "label": "with_mask",
        "confidence": 0.75,
        "probability_with_mask": 0.75,
        "probability_without_mask": 0.25,
        "detection_score": 0.5,
        "notes": "dark; cut",
        "error": None,
        "time": None,
        "track_id": None,
        "predicted": False,
        "landmarks": None,
        "face": 0.875,
    }
    assert (second["detection_score"], second["face"]) == (None, None)
    assert (empty["source"], empty["x1"], empty["label"], empty["predicted"]) == ("empty.jpg", None, None, None)
    assert (failed["source"], failed["error"]) == (r"\udce9t\udce9 口罩.jpg", "ImageError: it is empty")
    assert (frame["frame"], frame["time"], frame["track_id"], frame["predicted"]) == (12, 0.48, 7, True)
    assert frame["landmarks"] == [[1.5, 2.0], [3.0, 4.25]]


def test_columns_have_the_names_of_csv_and_types_of_their_own(tmp_path: Path) -> None:
    stream = io.StringIO(newline="")
    open_results("csv", stream, LABELS).close()
    (header,) = csv.reader(io.StringIO(stream.getvalue()))

    for results in (RUN, RUN[1:2], ()):  # also where a column has nothing, or there is no row
        table = written(tmp_path / "r.parquet", results)
        types = {field.name: str(field.type) for field in table.schema}
        assert list(types) == header
        assert types["source"] == types["label"] == types["error"] == "string"
        assert types["x1"] == "int32"
        assert types["frame"] == types["track_id"] == "int64"
        assert types["confidence"] == types["probability_with_mask"] == types["face"] == types["time"] == "double"
        assert types["predicted"] == "bool"
        assert types["landmarks"].startswith("list<")


def test_many_rows_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "_ROWS", 3)

    table = written(tmp_path / "r.parquet", RUN * 5)

    assert table.num_rows == 25
    assert parquet.ParquetFile(tmp_path / "r.parquet").num_row_groups > 1
    assert table.column("source").to_pylist().count("empty.jpg") == 5


def test_only_files_of_this_writer_are_its_own(tmp_path: Path) -> None:
    written(tmp_path / "own.parquet")
    parquet.write_table(pyarrow.table({"source": ["mine"]}), tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "own.parquet").read_bytes()[:100])

    assert is_own_parquet(tmp_path / "own.parquet")
    assert not is_own_parquet(tmp_path / "other.parquet")
    assert not is_own_parquet(tmp_path / "cut.parquet")


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(PackageNotInstalled, match=r'pip install "maskcheck\[parquet\]"') as error:
        write_parquet(io.BytesIO(), [], LABELS)
    assert error.value.package == "pyarrow"


# --- as ``maskcheck detect`` writes them


@pytest.fixture
def detect(toy_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs ``maskcheck detect`` with the toy model in a folder with a picture, a.png."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Image.new("RGB", (50, 40), "grey").save("a.png")
    return lambda *arguments: CliRunner().invoke(
        main, ["detect", "--no-detector", "--model", str(toy_model), *map(str, arguments)]
    )


def test_detect_writes_parquet_beside_the_lines_of_json(detect: Callable[..., Result]) -> None:
    for _ in range(2):  # the second replaces the first
        done = detect("a.png", "gone.png", "--format", "parquet", "--output", "out")
        assert done.exit_code == 1, done.output

    found, gone = parquet.read_table("out/results.parquet").to_pylist()
    assert (found["source"], found["x2"], found["label"] in ("bright", "dark")) == ("a.png", 50, True)
    assert gone["error"].startswith("SourceError: ")
    lines = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == ["a.png", "gone.png"]


def test_parquet_of_others_is_kept(detect: Callable[..., Result]) -> None:
    Path("out").mkdir()
    parquet.write_table(pyarrow.table({"source": ["mine"]}), "out/results.parquet")

    done = detect("a.png", "--format", "parquet", "--output", "out")

    assert done.exit_code == 2
    assert "results.parquet exists and holds no results of maskcheck" in " ".join(done.stderr.split())
    assert parquet.read_table("out/results.parquet").to_pylist() == [{"source": "mine"}]


def test_without_pyarrow_nothing_begins(detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    done = detect("a.png", "--format", "parquet", "--output", "out")

    assert done.exit_code == 2
    assert 'pip install "maskcheck[parquet]"' in " ".join(done.stderr.split())


def test_parquet_does_not_go_to_standard_output(detect: Callable[..., Result]) -> None:
    done = detect("a.png", "--format", "parquet")

    assert done.exit_code == 2
    assert "--output" in done.stderr
