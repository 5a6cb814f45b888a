"""Sources and outputs of ``maskcheck batch`` beyond folders: Parquet files, and addresses."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from maskcheck import ImageTooLarge, SourceError
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits

pyarrow = pytest.importorskip("pyarrow", reason="maskcheck batch needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pyarrow.fs")

from maskcheck.commands.batch.places import Places, shown  # noqa: E402


def encoded(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), shade, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def rows(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(output).to_pylist()
    return sorted(found, key=lambda row: (row["source"], row["frame"]))


@pytest.mark.parametrize("row_group", [7, 100])
@pytest.mark.parametrize("kind", ["bytes", "struct"])
def test_rows_of_parquet_files_with_bytes(
    kind: str, row_group: int, batch: Callable[..., Result], tmp_path: Path
) -> None:
    contents: list[bytes | None] = [encoded(5 * number) for number in range(40)]
    contents[11], contents[23] = None, b"no picture"
    (tmp_path / "beside.png").write_bytes(encoded(250))
    column: list[Any] = contents
    if kind == "struct":  # as data sets of Hugging Face have it
        column = [{"bytes": content, "path": "beside.png" if content is None else "x.png"} for content in contents]
    table = pyarrow.table({"label": list(range(40)), "image": column})
    parquet.write_table(table, tmp_path / "data.parquet", row_group_size=row_group)

    done = batch(tmp_path / "data.parquet", "--column", "image", "--output", tmp_path / "out", "--part-size", "9")

    assert done.exit_code == 1
    found = rows(tmp_path / "out")
    assert [row["frame"] for row in found] == list(range(40))
    assert {row["source"] for row in found} == {str(tmp_path / "data.parquet")}
    if kind == "struct":
        contents[11] = encoded(250)
    assert [row["id"] for row in found] == [c and sha256(c).hexdigest() for c in contents]
    failed = {row["frame"]: row["error"] for row in found if row["error"]}
    assert list(failed) == ([23] if kind == "struct" else [11, 23])
    assert [row["label"] for row in found if not row["error"]][:1] == ["dark"]
    assert [row["label"] for row in found if not row["error"]][-1:] == ["bright"]


def test_a_column_of_paths(batch: Callable[..., Result], tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(90 * number))
    table = pyarrow.table({"file": ["0.png", str(tmp_path / "1.png"), None, "2.png", "none.png"]})
    (tmp_path / "lists").mkdir()
    parquet.write_table(table, tmp_path / "data.parquet")

    done = batch(tmp_path, "--column", "file", "--output", tmp_path / "out")

    assert done.exit_code == 1
    found = rows(tmp_path / "out")
    names = ["0.png", "1.png", "2.png", "data.parquet", "none.png"]
    assert [Path(row["source"]).name for row in found] == names
    assert "row 2 of" in found[3]["error"]
    assert found[4]["error"].startswith("ImageError: no such file")


def test_a_column_that_is_not_there_or_has_no_pictures(batch: Callable[..., Result], tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"number": [1], "image": [b""]}), tmp_path / "data.parquet")
    source, output = tmp_path / "data.parquet", tmp_path / "out"

    without = batch(source, "--output", output)
    missing = batch(source, "--column", "picture", "--output", output)
    numbers = batch(source, "--column", "number", "--output", output)

    assert {without.exit_code, missing.exit_code, numbers.exit_code} == {2}
    assert "name the column that has the pictures, with --column" in without.output
    assert "has the columns number, image; got 'picture'" in missing.output
    assert "number of" in numbers.output
    assert "is int64" in numbers.output
    assert not list(output.glob("*.parquet"))


@pytest.fixture
def memory() -> Any:
    """A file system of fsspec that keeps files in memory."""
    fsspec = pytest.importorskip("fsspec", reason="addresses that pyarrow does not know need fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_a_password_in_an_error_of_another_package_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec_core = pytest.importorskip("fsspec.core", reason="addresses that pyarrow does not know need fsspec")

    def refuse(address: str) -> None:
        raise PermissionError(f"{address} says no")

    monkeypatch.setattr(fsspec_core, "url_to_fs", refuse)
    address = "vault://user:hunter2@host/folder"

    with pytest.raises(SourceError, match="says no") as refused:
        list(Places([address]).find(shown(address), (".jpg",)))

    assert "hunter2" not in str(refused.value)


def test_addresses_of_fsspec_are_read_and_written(memory: Any, batch: Callable[..., Result], tmp_path: Path) -> None:
    for name in ("in/0.png", "in/deep/1 %41#?.png", "in/.hidden/2.png", "in/_work/3.png", "in/notes.txt"):
        memory.pipe(f"/bucket/{name}", encoded(200))

    done = batch("memory://bucket/in", "--output", "memory://bucket/out")

    assert done.exit_code == 0, done.output
    (part,) = memory.glob("/bucket/out/*.parquet")
    found = parquet.read_table(io.BytesIO(memory.cat(part))).to_pylist()
    assert [row["source"] for row in found] == ["memory://bucket/in/0.png", "memory://bucket/in/deep/1 %41#?.png"]
    assert [row["error"] for row in found] == [None, None]
    assert b'"pictures": 2' in memory.cat("/bucket/out/_job/report.json")
    again = batch("memory://bucket/in", "--output", "memory://bucket/out", "--resume")
    assert "2 resumed from earlier runs" in again.output
    some = batch("memory://bucket/in/**/1*.png", "--output", tmp_path / "some")
    assert some.exit_code == 0, some.output
    assert [row["source"] for row in rows(tmp_path / "some")] == ["memory://bucket/in/deep/1 %41#?.png"]
    nothing = batch("memory://bucket/other", "--output", tmp_path / "nothing")
    assert nothing.exit_code == 2
    assert "no file with the ending" in nothing.output


def test_an_address_of_files_is_that_of_a_path(batch: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(encoded(7))

    done = batch((tmp_path / "a b.png").as_uri(), "--output", (tmp_path / "out").as_uri())

    assert done.exit_code == 0, done.output
    assert [row["source"] for row in rows(tmp_path / "out")] == [str(tmp_path / "a b.png")]


def test_passwords_and_options_of_addresses_are_not_shown() -> None:
    assert shown("s3://key:secret@bucket/a/b?region=x") == "s3://bucket/a/b"
    assert shown("/a/b?c@d") == "/a/b?c@d"


def test_an_unknown_address_says_so(batch: Callable[..., Result], tmp_path: Path) -> None:
    done = batch("nothing://bucket/in", "--output", tmp_path / "out")

    assert done.exit_code == 2
    assert "nothing://bucket/in" in done.output


def test_a_file_of_an_address_is_read_up_to_the_limit(memory: Any) -> None:
    memory.pipe("/bucket/large.bin", b"x" * 2000)
    places = pickle.loads(pickle.dumps(Places(["memory://bucket"])))

    assert len(places.read("memory://bucket/large.bin", DEFAULT_LIMITS)) == 2000
    with pytest.raises(ImageTooLarge, match=r"over 0\.0 MB"):
        places.read("memory://bucket/large.bin", DecodingLimits(max_file_bytes=1000))
    with pytest.raises(SourceError, match="no file with the ending"):
        list(places.find("memory://bucket/none", [".png"]))


@pytest.mark.filterwarnings("ignore")  # of the server's own code
def test_an_object_store_is_read_and_written(
    batch: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_module = pytest.importorskip("moto.server", reason="a server that speaks S3: needs moto[server]")
    for name, value in {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        port = server.get_host_and_port()[1]
        options = f"region=us-east-1&scheme=http&endpoint_override=127.0.0.1:{port}"
        store, _ = pyarrow.fs.FileSystem.from_uri(f"s3://bucket?{options}&allow_bucket_creation=true")
        store.create_dir("bucket")
        for name in ("in/0.png", "in/deep/1 %41#.png"):
            with store.open_output_stream(f"bucket/{name}") as file:
                file.write(encoded(200))

        source = f"s3://bucket/in?{options}"
        done = batch(source, "--output", "s3://bucket/out", "--part-size", "1")
        store.delete_file("bucket/out/part-00000001.parquet")
        again = batch(source, "--output", "s3://bucket/out", "--resume")

        assert (done.exit_code, again.exit_code) == (0, 0), done.output + again.output
        found = parquet.read_table("bucket/out", filesystem=store).to_pylist()
        assert [row["source"] for row in found] == ["s3://bucket/in/0.png", "s3://bucket/in/deep/1 %41#.png"]
        assert "1 resumed from earlier runs" in again.output
        with store.open_input_file("bucket/out/_job/report.json") as file:
            assert str(port).encode() not in file.read()
    finally:
        server.stop()
    assert not list(tmp_path.glob("out*"))
