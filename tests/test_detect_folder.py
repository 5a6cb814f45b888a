"""A run over a folder reports its pictures, what cannot be read, and what was left out."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from maskcheck.commands import main
from maskcheck.sources import LeftOut, expand_home, find_sources

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
MOV = b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(64)
JXL = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64)


@pytest.fixture
def detect(toy_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs ``maskcheck detect`` with the toy model, in an empty folder."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return lambda *arguments: CliRunner().invoke(main, ["detect", "--model", str(toy_model), *map(str, arguments)])


def picture(name: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (50, 40), "grey").save(path, None if path.suffix else "JPEG")
    return path


def link(place: str, target: str) -> None:
    try:
        Path(place).symlink_to(target)
    except OSError:
        pytest.skip("no symbolic links here")


def search(*arguments: str) -> tuple[list[str], list[str], str]:
    """Paths of the pictures, messages of the errors, and what was left out."""
    left_out = LeftOut()
    found = list(find_sources(arguments, left_out=left_out))
    return (
        [source.path.as_posix() for source in found if source.error is None],
        [str(source.error) for source in found if source.error is not None],
        str(left_out),
    )


def test_the_folder_of_a_phone(detect: Callable[..., Result]) -> None:
    picture("phone/IMG_0001.jpg")
    picture("phone/scan")
    Path("phone/IMG_0002.HEIC").write_bytes(HEIC)
    Path("phone/IMG_0003.MOV").write_bytes(MOV)
    Path("phone/IMG_0004.jxl").write_bytes(JXL)
    for name in ("notes.txt", "more.TXT", ".DS_Store", "._IMG_0001.jpg"):
        Path("phone", name).write_text("hello")

    result = detect("phone", "--json", "r.jsonl")

    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert result.exit_code == 1
    assert [(Path(line["source"]).name, line["error"] is None) for line in lines] == [
        ("IMG_0001.jpg", True),
        ("IMG_0002.HEIC", False),
        ("IMG_0004.jxl", False),
        ("scan", True),
        ("IMG_0003.MOV", False),
    ]
    assert result.stdout.splitlines()[-1] == "left out: 2 files that are no pictures (2 .TXT), 2 hidden"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files")
def test_a_folder_with_files_of_every_odd_kind(detect: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    picture("odd/a.jpg")
    picture("odd/esc\x1b[31m.png")
    picture("odd/z/deep/b.png")
    picture("odd/out/earlier.png")
    picture("odd/.hidden/c.png")
    Path("odd/cut.png").write_bytes(picture("odd/a.png").read_bytes()[:60])
    Path("odd/empty.jpg").touch()
    Path("odd/raw.NEF").write_bytes(b"II*\0" + bytes(64))
    Path("odd/notes").write_text("text")
    Path("odd/model.onnx").write_bytes(bytes(64))
    os.mkfifo("odd/pipe.jpg")
    link("odd/loop.jpg", "loop.jpg")
    link("odd/gone.png", "nowhere.png")
    link("odd/up", "..")
    link("odd/same.jpg", "a.jpg")
    Path("odd/locked").mkdir()
    Path("odd/locked/d.png").touch()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("odd/socket.png")
        scandir = os.scandir

        def guarded(path: Any = ".") -> Any:
            if Path(os.fsdecode(path)).name == "locked":
                raise OSError(116, "Stale file handle", os.fspath(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", guarded)

        result = detect("odd", "odd/a.jpg", "absent.jpg", "odd/z*", "--output", "odd/out", "--json", "r.jsonl")

    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [(Path(line["source"]).name, (line["error"] or {}).get("type")) for line in lines] == [
        ("a.jpg", None),
        ("a.png", None),
        ("cut.png", "ImageError"),
        ("empty.jpg", "ImageError"),
        ("esc\x1b[31m.png", None),
        ("raw.NEF", "SourceError"),
        ("locked", "SourceError"),
        ("b.png", None),
        ("absent.jpg", "SourceError"),
        ("z*", "SourceError"),
    ]
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1 + 10 + 2
    assert "cannot read folder odd/locked: Stale file handle" in result.stdout
    assert result.stdout.splitlines()[-2].startswith("4 pictures, 0 faces, 6 failed; annotated pictures")
    assert result.stdout.splitlines()[-1] == (
        "left out: 2 files that are no pictures (1 .onnx, 1 without an ending), 2 named twice, 1 hidden,"
        " 2 broken links, the output folder, 1 pipe, 1 socket, 1 link to a folder, 1 folder that a pattern matches"
    )
    assert not stat.S_ISREG(Path("odd/pipe.jpg").stat().st_mode)
    assert sorted(path.name for path in Path("odd/out").iterdir()) == [
        *("a.jpg", "a.png", "earlier.png", "esc\x1b[31m.png", "receipt.json", "results.jsonl", "z")
    ]


def test_a_picture_is_found_by_its_content_whatever_its_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture("in/scan")
    picture("in/a.jpg").rename("in/a.dat")

    assert search("in") == (["in/a.dat", "in/scan"], [], "")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("data:image/png;base64," + "A" * 5000, "is a data URI; expected a file"),
        ("x" * 5000, "cannot read x"),
        ("a\0b.jpg", "cannot read a"),
        ("/dev/zero", "is a device; expected a file"),
    ],
)
def test_a_name_that_no_system_can_open_is_an_error(argument: str, message: str, tmp_path: Path) -> None:
    if argument.startswith("/dev") and not Path(argument).exists():
        pytest.skip("no devices here")
    path = tmp_path / "a.png"
    path.touch()

    found, errors, _ = search(argument, str(path))

    assert found == [path.as_posix()]
    assert message in errors[0]
    assert len(errors[0]) < 400  # not the whole of a long name


def test_an_error_while_a_folder_is_listed_keeps_the_pictures_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture("in/a.png")
    scandir = os.scandir

    class Broken:
        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *_: object) -> None: ...

        def __iter__(self) -> Any:
            yield from scandir("in")
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", lambda _path: Broken())

    assert search("in") == (["in/a.png"], ["cannot read folder in: Input/output error"], "")


def test_many_kinds_of_files_are_counted_together(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"a.x{number}").write_text("text")
    (tmp_path / "b.x3").write_text("text")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")

    assert search(str(tmp_path))[2] == (
        "10 files that are no pictures (2 .x3, 1 .x0, 1 .x1, 1 .x2, 1 .x4, 4 with other endings)"
    )


@pytest.mark.parametrize(
    ("home", "argument", "expected"),
    [
        ("/home/me", "~", "/home/me"),
        ("/home/me", "~/x", "/home/me/x"),
        ("/home/me", "~x", "~x"),
        ("/home/me", "a~", "a~"),
        ("", "~/x", "~/x"),
        ("relative", "~/x", "~/x"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="other names of the variable")
def test_a_leading_tilde_is_the_home_folder(
    home: str, argument: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)

    assert expand_home(argument) == expected


@pytest.mark.skipif(os.name == "nt", reason="other names of the variable")
def test_without_a_home_folder_a_tilde_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(_uid: int) -> Any:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)

    assert expand_home("~/x") == "~/x"
