"""``find_sources``: files, folders, patterns, lists, cameras and addresses, and the errors in their place."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from maskcheck import SourceError
from maskcheck.sources import Source, find_sources


@pytest.fixture(autouse=True)
def _inside_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")


def paths(*arguments: str, exclude: Path | None = None) -> list[str]:
    """Paths of the sources; for an error, ``!`` and its argument."""
    return [
        source.path.as_posix() if source.error is None else f"!{Path(source.error.source).as_posix()}"
        for source in find_sources(arguments, exclude=exclude)
    ]


def only(argument: str) -> Source:
    (source,) = find_sources([argument])
    return source


def link(place: str, target: str) -> None:
    try:
        Path(place).symlink_to(target)
    except OSError:  # Windows, without the privilege
        pytest.skip("no symbolic links here")


# --- files


@pytest.mark.parametrize("name", ["photo.jpg", "photo", "scan.dat", ".hidden.jpg", "ein Bild ä 写真.png"])
def test_a_file_of_any_name_is_a_source(name: str) -> None:
    make(f"album/{name}")

    assert only(f"album/{name}") == Source(Path("album", name), Path(name))


@pytest.mark.parametrize("name", ["photo [1].jpg", "[abc]/photo.jpg", "100%.jpg"])
def test_an_existing_name_with_brackets_is_no_pattern(name: str) -> None:
    make(name, "photo 1.jpg", "a/photo.jpg")

    assert paths(name) == [name]


def test_an_existing_folder_with_brackets_is_no_pattern() -> None:
    make("trip [2024]/x.jpg", "trip 2/y.jpg")

    assert paths("trip [2024]") == ["trip [2024]/x.jpg"]


def test_each_file_comes_once_at_its_first_place() -> None:
    make("album/a.jpg", "album/b.jpg", "c.jpg")

    everything = ["album/b.jpg", "c.jpg", "album", "album/*.jpg", "album/../c.jpg", str(Path("c.jpg").resolve())]

    assert paths(*everything) == ["album/b.jpg", "c.jpg", "album/a.jpg"]


def test_a_link_and_its_picture_are_the_same_source() -> None:
    make("a.jpg")
    link("b.jpg", "a.jpg")

    assert paths("b.jpg", "a.jpg") == ["b.jpg"]


# --- folders


def test_a_folder_is_searched_with_all_folders_below_it_in_order() -> None:
    files = ["b.jpg", "a.png", "c.WEBP", "d.jpeg", "z/b.jpg", "z/a.jpg", "y/deep/er/x.tif", "y/x.gif", "m/1.bmp"]
    make(*(f"album/{name}" for name in files))

    assert paths("album") == [
        *("album/a.png", "album/b.jpg", "album/c.WEBP", "album/d.jpeg"),
        *("album/m/1.bmp", "album/y/x.gif", "album/y/deep/er/x.tif", "album/z/a.jpg", "album/z/b.jpg"),
    ]


def test_a_picture_in_a_folder_is_named_by_its_path_below_it() -> None:
    make("albums/summer/beach/a.jpg")

    assert only("albums").name == Path("summer/beach/a.jpg")
    assert only("albums/summer").name == Path("beach/a.jpg")


def test_other_files_in_a_folder_are_passed_over() -> None:
    make("album/a.jpg", "album/notes.txt", "album/jpg", "album/model.onnx", "album/a.jpg.bak")

    assert paths("album") == ["album/a.jpg"]


def test_hidden_files_and_folders_are_passed_over() -> None:
    make("album/a.jpg", "album/.thumbnail.jpg", "album/.cache/b.jpg", "album/sub/.cache/c.jpg")

    assert paths("album") == ["album/a.jpg"]


def test_a_hidden_folder_that_the_user_names_is_searched() -> None:
    make(".album/a.jpg")

    assert paths(".album") == [".album/a.jpg"]


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("out", ["album/out", "album/sub/out"])
def test_the_output_folder_is_not_searched(out: str, absolute: bool) -> None:
    make("album/a.jpg", "album/output/b.jpg", f"{out}/a.jpg", f"{out}/sub/b.jpg")

    sources = paths("album", exclude=Path(out).resolve() if absolute else Path(out))

    assert sources == ["album/a.jpg", "album/output/b.jpg"]


def test_the_error_for_a_folder_without_pictures_says_what_it_contains() -> None:
    make("album/notes.txt")

    source = only("album")

    assert isinstance(source.error, SourceError)
    assert str(source.error) == "no picture or video in folder album, only 1 file that is no picture (1 .txt)"
    assert source.error.source == "album"


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of the name ``locked`` cannot be read, not even by root."""
    scandir = os.scandir

    def guarded(path: Any = ".") -> Any:
        if not isinstance(path, int) and Path(os.fsdecode(path)).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)


@pytest.mark.usefixtures("locked")
def test_a_folder_that_cannot_be_read_is_an_error_in_its_place() -> None:
    make("album/a.jpg", "locked/b.jpg", "c.jpg")

    sources = list(find_sources(["album", "locked", "c.jpg"]))

    assert [source.path for source in sources if source.error is None] == [Path("album/a.jpg"), Path("c.jpg")]
    assert isinstance(sources[1].error, SourceError)
    assert str(sources[1].error) == "cannot read folder locked: Permission denied"
    assert sources[1].error.source == "locked"


@pytest.mark.usefixtures("locked")
def test_a_subfolder_that_cannot_be_read_does_not_hide_other_files() -> None:
    make("album/a.jpg", "album/locked/b.jpg", "album/z/c.jpg")

    assert sorted(paths("album")) == ["!album/locked", "album/a.jpg", "album/z/c.jpg"]


@pytest.mark.usefixtures("locked")
def test_a_subfolder_that_cannot_be_read_is_an_error_in_its_place() -> None:
    make("album/a.jpg", "album/locked/b.jpg", "album/z/c.jpg")

    assert paths("album") == ["album/a.jpg", "!album/locked", "album/z/c.jpg"]


def test_a_link_to_itself_does_not_hide_other_files() -> None:
    make("album/a.jpg", "album/z.jpg")
    link("album/b.jpg", "b.jpg")

    sources = paths("album")

    assert sources[0] == "album/a.jpg"
    assert sources[-1] == "album/z.jpg"


# --- patterns


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("album/*.jpg", ["album/a.jpg", "album/b.jpg"]),
        ("album/?.jpg", ["album/a.jpg", "album/b.jpg"]),
        ("album/[b-z].*", ["album/b.jpg", "album/c.png"]),
        ("album/*/*.jpg", ["album/sub/a.jpg"]),
        ("album/**/*.jpg", ["album/a.jpg", "album/b.jpg", "album/sub/a.jpg", "album/sub/deep/d.jpg"]),
        ("album/*", ["album/a.jpg", "album/b.jpg", "album/c.png"]),
    ],
)
def test_a_pattern_stands_for_the_files_that_match(pattern: str, expected: list[str]) -> None:
    make("album/b.jpg", "album/a.jpg", "album/c.png", "album/sub/a.jpg", "album/sub/deep/d.jpg", "album/.h.jpg")

    assert paths(pattern) == expected


def test_an_absolute_pattern_works() -> None:
    make("album/a.jpg")

    assert paths(str(Path("album").resolve() / "*.jpg")) == [Path("album/a.jpg").resolve().as_posix()]


def test_a_picture_from_a_pattern_is_named_by_its_file_name() -> None:
    make("album/sub/a.jpg")

    assert only("album/**/*.jpg").name == Path("a.jpg")


def test_a_pattern_does_not_match_files_in_the_output_folder() -> None:
    make("album/a.jpg", "album/out/a.jpg")

    assert paths("album/**/*.jpg", exclude=Path("album/out")) == ["album/a.jpg"]


@pytest.mark.parametrize("pattern", ["*.jpg", "album/s*", "nowhere/**/*.png"])
def test_a_pattern_that_no_file_matches_is_an_error(pattern: str) -> None:
    make("album/sub/notes.txt")  # album/s* matches a folder, but no file

    source = only(pattern)

    assert isinstance(source.error, SourceError)
    assert str(source.error) == f"no file matches {pattern}"
    assert source.error.source == pattern


# --- arguments without a picture


def test_a_missing_file_is_an_error_in_its_place() -> None:
    make("a.jpg", "b.jpg")

    sources = list(find_sources(["a.jpg", "missing.jpg", "b.jpg"]))

    assert [source.error is None for source in sources] == [True, False, True]
    assert str(sources[1].error) == "no such file or folder: missing.jpg"
    assert sources[1].path == Path("missing.jpg")


@pytest.mark.parametrize("address", ["https://example.org/a.jpg?size=9", "ftp://camera/stream", "s3://bucket/?a=*"])
def test_the_error_for_an_address_says_to_download_it(address: str) -> None:
    source = only(address)

    assert isinstance(source.error, SourceError)
    assert str(source.error).startswith(f"{address} is an address; expected a file on this machine")
    assert "download it first" in str(source.error)
    assert source.error.source == address


def test_a_name_too_long_for_the_system_is_an_error_and_others_still_come() -> None:
    make("a.jpg")

    assert paths("x" * 300 + ".jpg", "a.jpg") == ["!" + "x" * 300 + ".jpg", "a.jpg"]
