"""``find_sources``: which files are videos, lists, cameras and addresses."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from maskcheck.sources import LeftOut, Source, file_kinds, find_sources
from maskcheck.sources.video_formats import is_video

MP4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomavc1" + bytes(400)
TRANSPORT = (b"\x47" + bytes(187)) * 4


@pytest.fixture(autouse=True)
def _inside_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str, content: bytes = b"content") -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)


def found(*arguments: str) -> list[tuple[str, str]]:
    """Name and kind of each source; for an error, ``error`` and its message."""
    return [
        (source.display_name, source.kind) if source.error is None else ("error", str(source.error))
        for source in find_sources(arguments)
    ]


def only(argument: str) -> Source:
    (source,) = find_sources([argument])
    return source


# --- videos


def test_videos_in_a_folder_are_found_in_order_with_its_pictures() -> None:
    make("album/c.jpg", "album/a.png", "album/b.MP4", "album/sub/d.mkv", "album/notes.txt")
    make("album/e", "album/sub/sound.m4a", content=MP4)
    make("album/f.ts", content=TRANSPORT)
    make("album/g.ts", content=b"export const a = 1;\n" * 50)
    left_out = LeftOut()

    sources = list(find_sources(["album"], left_out=left_out))

    assert [(source.path.as_posix(), source.kind) for source in sources] == [
        ("album/a.png", "picture"),
        ("album/b.MP4", "video"),
        ("album/c.jpg", "picture"),
        ("album/e", "video"),
        ("album/f.ts", "video"),
        ("album/sub/d.mkv", "video"),
    ]
    assert sources[-1].name == Path("sub/d.mkv")
    assert str(left_out) == "3 files that are no pictures (1 .ts, 1 .txt, 1 .m4a)"


def test_a_video_that_is_named_or_matched_is_a_video() -> None:
    make("a.mp4", "b.mp4")
    make("c.dat", content=MP4)

    assert found("a.mp4", "c.dat", "*.mp4") == [("a.mp4", "video"), ("c.dat", "video"), ("b.mp4", "video")]


def test_where_only_pictures_are_wanted_a_video_is_passed_over_or_an_error() -> None:
    make("album/a.mp4", "album/a.jpg")
    left_out = LeftOut()

    arguments = ["album", "album/a.mp4", "rtsp://camera/1", "0"]
    sources = list(find_sources(arguments, kinds=["picture"], left_out=left_out))

    assert [source.error is None for source in sources] == [True, False, False, False]
    assert str(sources[1].error) == "album/a.mp4 is a video; expected a picture"
    assert str(left_out) == "1 file that is no picture (1 .mp4)"


def test_without_pyav_a_folder_leaves_its_videos_out(monkeypatch: pytest.MonkeyPatch) -> None:
    make("album/a.jpg", "album/b.mp4")
    monkeypatch.setattr(file_kinds, "find_spec", lambda _name: None)
    left_out = LeftOut()

    assert [source.path.name for source in find_sources(["album"], left_out=left_out)] == ["a.jpg"]
    assert str(left_out) == '1 video (needs: pip install "maskcheck[video]")'


@pytest.mark.parametrize(
    "head",
    [
        MP4,
        TRANSPORT,
        bytes(4) + (b"\x47" + bytes(191)) * 3,
        b"\x1aE\xdf\xa3" + bytes(60),
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\x01\xba" + bytes(60),
        b"FLV\x01\x05\0\0\0\x09",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
        b"OggS" + bytes(24) + b"\x80theora",
        b"\0\0\0\x08wide\0\0\0\0mdat",
    ],
)
def test_videos_are_known_by_their_first_bytes(head: bytes) -> None:
    assert is_video("", head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"OggS" + bytes(24) + b"\x01vorbis",
        b"FLV\x01\x04\0\0\0\x09",
        b"\0\0\0\x18ftypM4A \0\0\0\0",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"GIF89a" + bytes(60),
        b"G" * 50,
    ],
)
def test_sound_and_moving_pictures_are_no_videos(head: bytes) -> None:
    assert not is_video("", head)


# --- cameras and addresses


@pytest.mark.parametrize(("argument", "number"), [("0", 0), ("12", 12), ("/dev/video900", 900)])
def test_a_number_is_a_camera(argument: str, number: int) -> None:
    source = only(argument)

    assert (source.kind, source.address, source.display_name) == ("live", number, argument)
    assert source.name == Path(f"camera-{number}")


def test_a_file_whose_name_is_a_number_is_a_file() -> None:
    make("0")

    assert only("0") == Source(Path("0"), Path("0"))


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https", "rtmp", "udp", "tcp", "srt"])
def test_an_address_is_live_and_never_shows_its_password(scheme: str) -> None:
    address = f"{scheme}://user:s3cret@host:554/x?token=s3cret"

    source = only(address)

    assert (source.kind, source.address) == ("live", address)
    assert source.display_name == f"{scheme}://user:***@host:554/x?token=***"
    assert "s3cret" not in f"{source!r} {source.path} {source.name}"
    assert len(source.name.parts) == 1


@pytest.mark.parametrize(
    "argument", ["http://u:s3cret@host/a.jpg", "ftp://u:s3cret@host/a", "u:s3cret@host/x", "rtsp:/u:s3cret@host/x"]
)
def test_an_address_that_is_refused_does_not_show_its_password(argument: str) -> None:
    source = only(argument)

    assert source.error is not None
    assert "s3cret" not in f"{source!r} {source.error} {source.error.source} {source.display_name}"


def test_an_address_that_is_named_twice_is_one_source() -> None:
    assert found("rtsp://a:1@h/x", "rtsp://a:1@h/x", "0", "/dev/video0") == [
        ("rtsp://a:***@h/x", "live"),
        ("0", "live"),
    ]


# --- lists


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_stands_for_what_its_lines_name(encoding: str) -> None:
    make("a.jpg", "ä.mp4", "sub/b.jpg", "#1.jpg", "@x.jpg")
    lines = [
        "# cameras",
        "rtsp://u:p@h/x",
        "",
        "  a.jpg  ",
        "ä.mp4",
        "sub",
        "./#1.jpg",
        "@x.jpg",
        "missing.jpg",
        "*.jpg",
    ]
    Path("lists").mkdir()
    Path("lists/list.txt").write_bytes("\r\n".join(lines).encode(encoding))

    assert found("@lists/list.txt") == [
        ("rtsp://u:***@h/x", "live"),
        ("a.jpg", "picture"),
        ("ä.mp4", "video"),
        (str(Path("sub/b.jpg")), "picture"),
        ("#1.jpg", "picture"),
        ("@x.jpg", "picture"),
        ("error", "no such file or folder: missing.jpg"),
    ]


def test_a_file_whose_name_begins_like_a_list_is_a_file() -> None:
    make("@a.jpg")

    assert found("@a.jpg") == [("@a.jpg", "picture")]


def test_a_list_that_cannot_be_read_is_an_error_and_the_rest_follows() -> None:
    make("a.jpg", content=b"\xff\xd8\xff\0\0")
    make("empty.txt", content=b"# nothing\n")

    sources = found("@missing.txt", "@a.jpg", "@empty.txt", "@.", "a.jpg")
    errors = [message for kind, message in sources if kind == "error"]

    assert errors[0].startswith("cannot read the list missing.txt: No such file")
    assert errors[1].startswith("the list a.jpg is not text")
    assert errors[2].startswith("the list empty.txt is empty")
    assert errors[3].startswith("cannot read the list .: ")
    assert sources[4:] == [("a.jpg", "picture")]


def test_a_list_on_standard_input_excludes_a_picture_there(monkeypatch: pytest.MonkeyPatch) -> None:
    make("a.jpg")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.jpg\n-\n")))

    assert found("@-") == [
        ("a.jpg", "picture"),
        ("error", "standard input is the list of sources (@-), so it cannot be a picture too"),
    ]
