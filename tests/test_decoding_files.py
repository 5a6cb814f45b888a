"""Paths and open files of every kind: each gives a picture or an ImageError, and none hangs."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskcheck import DecodingLimits, ImageError, ImageTooLarge, load_image
from maskcheck.pictures.decoding.files import path_text

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def encoded(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS[..., ::-1]).save(file, kind)
    return file.getvalue()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded())
    return path


class BytesPath:
    """A path object that returns bytes, as ``os.PathLike`` allows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


class OwnString(str):
    """A string whose ``str()`` is another text."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def entry(path: Path) -> os.DirEntry[str]:
    with os.scandir(path.parent) as entries:
        return next(entry for entry in entries if entry.name == path.name)


def bytes_entry(path: Path) -> os.DirEntry[bytes]:
    with os.scandir(os.fsencode(path.parent)) as entries:
        return next(entry for entry in entries if entry.name == os.fsencode(path.name))


KINDS: dict[str, Any] = {
    "bytes path": BytesPath,
    "own string": OwnString,
    "numpy string": np.str_,
    "DirEntry": entry,
    "DirEntry of bytes": bytes_entry,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_path_of_any_kind_is_a_path(kind: Any, picture: Path) -> None:
    np.testing.assert_array_equal(load_image(kind(picture)).pixels, PIXELS)

    picture.write_bytes(b"no picture")
    with pytest.raises(ImageError) as caught:
        load_image(kind(picture))
    assert caught.value.source == str(picture)
    assert type(caught.value.source) is str
    json.dumps(caught.value.source)


def test_the_text_of_a_path_is_unchanged() -> None:
    assert path_text("http://host/a.jpg") == "http://host/a.jpg"
    assert type(path_text(OwnString("a.jpg"))) is str


class BadPath:
    def __fspath__(self) -> str:
        raise RuntimeError("the share is gone")


def test_a_path_object_that_gives_no_path_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="this BadPath gives none: the share is gone"):
        load_image(BadPath())


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP])
@pytest.mark.parametrize("call", ["stat", "open"])
def test_an_error_of_the_system_is_an_image_error(
    number: int, call: str, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(os, call)

    def refuse(path: Any, *args: Any, **options: Any) -> Any:
        if str(path) == str(picture):
            raise OSError(number, os.strerror(number), str(path))
        return original(path, *args, **options)

    monkeypatch.setattr(os, call, refuse)

    with pytest.raises(ImageError) as caught:
        load_image(picture)
    monkeypatch.undo()
    assert str(caught.value) == f"cannot read {picture}: {os.strerror(number)}"
    assert caught.value.source == str(picture)


def test_a_name_longer_than_the_system_allows_is_an_image_error() -> None:
    with pytest.raises(ImageError) as caught:
        load_image("data:image/png;base64," + "A" * 100_000)

    assert len(str(caught.value)) < 500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    with pytest.raises(ImageError, match="expected a picture file, but this is a pipe"):
        load_image(tmp_path / "pipe.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_that_replaces_a_file_is_refused_at_once(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.open

    def open_after_the_swap(path: Any, *args: Any, **options: Any) -> int:
        if str(path) == str(picture):
            picture.unlink()
            os.mkfifo(picture)
        return original(path, *args, **options)

    monkeypatch.setattr(os, "open", open_after_the_swap)

    with pytest.raises(ImageError, match="this is a pipe"):
        load_image(picture)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or sys.platform == "win32", reason="no sockets in folders")
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 100 characters at most
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")

        with pytest.raises(ImageError, match="this is a socket"):
            load_image("socket.jpg")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices in folders")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str) -> None:
    with pytest.raises(ImageError, match="this is a device"):
        load_image(device)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(600_000_000)  # sparse: it takes no disk space

    with pytest.raises(ImageTooLarge, match=r"has 600\.0 MB, more than .*--max-megabytes") as caught:
        load_image(path)

    assert (caught.value.what, caught.value.limit) == ("max_file_bytes", 500_000_000)


def test_the_size_limit_holds_for_paths_bytes_and_open_files(picture: Path) -> None:
    limits = DecodingLimits(max_file_bytes=picture.stat().st_size - 1)

    for given in (picture, picture.read_bytes(), io.BytesIO(picture.read_bytes())):
        with pytest.raises(ImageTooLarge, match="--max-megabytes"):
            load_image(given, limits=limits)
    assert load_image(picture, limits=DecodingLimits(max_file_bytes=picture.stat().st_size)).pixels.shape == (4, 6, 3)


def test_only_the_head_of_a_large_file_that_is_no_picture_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
        file.truncate(400_000_000)
    asked = 0

    def counting(read: Any, most: int, *_: int) -> bytes:
        nonlocal asked
        asked += most
        return bytes(read(most))

    monkeypatch.setattr("maskcheck.pictures.decoding.files.read_up_to", counting)

    with pytest.raises(ImageError, match="not a picture in a known format"):
        load_image(path)
    assert asked == 64


# --- open files


def test_an_open_binary_file_is_read_and_stays_open(picture: Path) -> None:
    with picture.open("rb") as file:
        np.testing.assert_array_equal(load_image(file).pixels, PIXELS)
        assert not file.closed


class Endless(io.RawIOBase):
    """A stream that never ends, and counts the bytes that are read."""

    bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.bytes_read += size
        return bytes(size)


def test_an_endless_file_is_read_up_to_the_limit() -> None:
    stream = Endless()

    with pytest.raises(ImageTooLarge):
        load_image(stream, limits=DecodingLimits(max_file_bytes=5_000_000))  # type: ignore[arg-type]

    assert stream.bytes_read == 5_000_001


def test_the_error_for_a_file_in_text_mode_says_how_to_open_it() -> None:
    with pytest.raises(ImageError, match="expected a file opened in binary mode"):
        load_image(io.StringIO("text"))  # type: ignore[arg-type]


class Broken(io.RawIOBase):
    def read(self, _size: int = -1) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_an_open_file_that_fails_is_an_image_error() -> None:
    with pytest.raises(ImageError, match=r"cannot read camera 1: .*Input/output error"):
        load_image(Broken(), source="camera 1")  # type: ignore[arg-type]
