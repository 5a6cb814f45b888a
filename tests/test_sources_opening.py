"""``open_source``: whatever a caller names becomes frames with source, number and time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making_videos import make_video
from PIL import Image

from maskcheck import Frame, FrameReader, SourceError, open_source
from maskcheck.sources.live import LiveReader
from maskcheck.sources.video_file import VideoReader


@pytest.fixture(autouse=True)
def _inside_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("album").mkdir()
    Image.new("RGB", (9, 9)).save("album/a.png")
    Image.new("RGB", (9, 9)).save("album/c.png")


def told(reader: FrameReader) -> list[Any]:
    """Source, number and time of each frame, and whether it is an error."""
    with reader:
        return [(frame.source, frame.index, frame.time, frame.error is not None) for frame in reader]


def test_a_video_is_read_with_its_choices() -> None:
    make_video("a.mp4", 10)

    reader = open_source(Path("a.mp4"), every=4, start=0.1, end=0.4)

    assert isinstance(reader, VideoReader)
    frames = list(reader)
    assert [frame.index for frame in frames] == [4, 8]
    assert [frame.time for frame in frames] == pytest.approx([0.16, 0.32])


def test_a_folder_gives_its_pictures_and_the_frames_of_its_videos() -> None:
    make_video("album/b.mp4", 2)
    Path("album/d.mp4").write_text("no video")

    reader = open_source("album")

    assert not reader.is_live
    assert told(reader) == [
        ("album/a.png", 0, None, False),
        ("album/b.mp4", 0, 0.0, False),
        ("album/b.mp4", 1, pytest.approx(0.04), False),
        ("album/c.png", 0, None, False),
        ("album/d.mp4", 0, None, True),
    ]


@pytest.mark.parametrize("what", ["album/*.png", "@list.txt"])
def test_a_pattern_and_a_list_give_their_pictures(what: str) -> None:
    Path("list.txt").write_text("album/a.png\nalbum/c.png\n")

    assert [source for source, *_ in told(open_source(what))] == ["album/a.png", "album/c.png"]


def test_a_picture_is_a_frame_with_its_path() -> None:
    (frame,) = open_source("album/a.png")

    assert frame.image == Path("album/a.png")


@pytest.mark.parametrize("what", [0, "0", "rtsp://user:secret@127.0.0.1/x"])
def test_a_camera_and_an_address_are_live(what: str | int) -> None:
    with open_source(what, open_timeout=1.5, reconnect=False) as reader:
        assert isinstance(reader, LiveReader)
        assert "secret" not in reader.name
    with pytest.raises(ValueError, match="apply only to video files, not to a live source"):
        open_source(what, start=1)


def test_frames_of_the_caller_are_numbered_and_their_generator_is_closed() -> None:
    ended = []

    def frames() -> Iterator[Any]:
        try:
            yield np.zeros((4, 4, 3), np.uint8)
            yield Frame(np.zeros((4, 4, 3), np.uint8), source="mine", index=7, time=1.5)
            yield "album/a.png"
        finally:
            ended.append(True)

    with open_source(frames()) as reader:
        first, second = (frame for _, frame in zip(range(2), reader, strict=False))

    assert (first.index, first.source) == (0, None)
    assert (second.index, second.source, second.time) == (7, "mine", 1.5)
    assert ended == [True]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing.mp4", "no such file or folder: missing.mp4"),
        ("", "got an empty name"),
        ("ftp://host/a.mp4", "is an address"),
        ("rtsp://", r"or a stream, such as rtsp://HOST/PATH"),
        ("htp://me:secret@host/a", r"htp://me:\*\*\*@host/a is an address; .*or a stream, such as rtsp://HOST/PATH"),
        ("*.gif", r"no file matches \*.gif"),
    ],
)
def test_what_is_not_there_is_an_error(what: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(what)


@pytest.mark.parametrize("what", [b"content", True, 1.5, None, np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_source_is_a_type_error(what: Any) -> None:
    with pytest.raises(TypeError, match="expected"):
        open_source(what)


def test_a_folder_is_closed_in_the_middle_of_a_video() -> None:
    make_video("album/b.mp4", 5)
    reader = open_source("album")
    frames = iter(reader)
    assert [next(frames).source for _ in range(2)] == ["album/a.png", "album/b.mp4"]

    reader.close()

    assert list(frames) == []
