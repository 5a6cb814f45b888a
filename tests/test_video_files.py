"""``VideoReader``: frames of videos as they are, wherever reading begins, and what is wrong with a file in words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskcheck import DecodingLimits, SourceError
from maskcheck.frames import Frame
from maskcheck.sources.frame_clock import FrameClock
from maskcheck.sources.video_file import VideoReader

pytest.importorskip("av", reason="needs the extra video")

from making_videos import make_sound, make_video, number_of

FORMATS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.ts", "libx264", "yuv420p"),
    ("a.flv", "libx264", "yuv420p"),
    ("a.h264", "libx264", "yuv420p"),
    ("a.avi", "mjpeg", "yuvj420p"),
    ("a.mpg", "mpeg2video", "yuv420p"),
    ("a.mov", "mpeg4", "yuv420p"),
    ("a.webm", "libvpx", "yuv420p"),
    ("a.nut", "ffv1", "yuv420p10le"),
    ("a.mkv", "ffv1", "gray"),
    ("a.mov", "qtrle", "argb"),
]


def pixels(frame: Frame) -> Any:
    assert isinstance(frame.image, np.ndarray)
    return frame.image


def read(path: Path, **options: Any) -> list[Frame]:
    with VideoReader(path, **options) as reader:
        return list(reader)


def failure(path: Path | str, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        list(VideoReader(path, **options))
    assert caught.value.source == str(path)
    return str(caught.value)


# --- frames


@pytest.mark.parametrize(("name", "codec", "pixel_format"), FORMATS)
def test_all_frames_come_in_order_with_number_and_time(
    name: str, codec: str, pixel_format: str, tmp_path: Path
) -> None:
    video = make_video(tmp_path / name, codec=codec, pixels=pixel_format)

    frames = read(video)

    assert [frame.index for frame in frames] == list(range(30))
    assert [number_of(pixels(frame)) for frame in frames] == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx([number / 25 for number in range(30)], abs=0.0006)
    assert {frame.source for frame in frames} == {str(video)}
    assert {(pixels(frame).shape, pixels(frame).dtype.name) for frame in frames} == {((48, 64, 3), "uint8")}


@pytest.mark.parametrize(("name", "codec", "pixel_format"), FORMATS)
@pytest.mark.parametrize("start", [0.44, 0.79])
def test_reading_from_a_time_on_gives_the_frames_of_an_undisturbed_run(
    start: float, name: str, codec: str, pixel_format: str, tmp_path: Path
) -> None:
    video = make_video(tmp_path / name, codec=codec, pixels=pixel_format)
    wanted = [frame for frame in read(video) if start <= (frame.time or 0) + 1e-6 and (frame.time or 0) < 0.995]

    frames = read(video, start=start, end=0.9999)

    assert [(frame.index, frame.time) for frame in frames] == [(frame.index, frame.time) for frame in wanted]
    assert [number_of(pixels(frame)) for frame in frames] == [frame.index for frame in frames]


def test_every_third_frame_keeps_its_number(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")

    assert [frame.index for frame in read(video, every=3, start=0.4)] == [12, 15, 18, 21, 24, 27]


def test_a_variable_frame_rate_stays_what_it_is(tmp_path: Path) -> None:
    stamps = [0, 10, 500, 510, 3000, 3001, 3100]
    video = make_video(tmp_path / "a.mkv", 7, stamps=stamps, time_base=Fraction(1, 1000))

    assert [frame.time for frame in read(video)] == pytest.approx([stamp / 1000 for stamp in stamps])


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_frames_are_upright_as_those_of_opencv(rotation: int, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", 3, rotation=rotation)

    with VideoReader(video) as reader:
        info = reader.info
        image = pixels(next(iter(reader)))
    there, reference = cv2.VideoCapture(str(video)).read()

    assert there
    assert info.rotation == rotation
    assert info.size == (image.shape[1], image.shape[0])
    assert image.shape == reference.shape
    assert np.abs(image.astype(int) - reference).mean() < 3  # the colours are computed in another way
    assert image.flags.c_contiguous


def test_frames_are_the_callers_to_keep_and_change(tmp_path: Path) -> None:
    frames = read(make_video(tmp_path / "a.mp4", 5))
    pixels(frames[0])[:] = 255

    assert [number_of(pixels(frame)) for frame in frames[1:]] == [1, 2, 3, 4]


def test_the_size_may_change_in_the_middle(tmp_path: Path) -> None:
    small, large = make_video(tmp_path / "1.ts"), make_video(tmp_path / "2.ts", size=(128, 96))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())

    frames = read(both)

    assert [pixels(frame).shape[:2] for frame in frames] == [(48, 64)] * 30 + [(96, 128)] * 30
    assert min(np.diff([frame.time or 0.0 for frame in frames])) > 0


@pytest.mark.parametrize(("frames", "size"), [(1, (64, 48)), (3, (16, 16)), (2, (7680, 4320))])
def test_one_frame_and_the_smallest_and_largest(frames: int, size: tuple[int, int], tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", frames, size=size, codec="mpeg4", b_frames=0)

    assert [pixels(frame).shape for frame in read(video)] == [(size[1], size[0], 3)] * frames


def test_what_the_video_says_of_itself_is_there_before_its_frames(tmp_path: Path) -> None:
    info = VideoReader(make_video(tmp_path / "a.mp4")).info

    assert (info.size, info.frame_count, info.codec, info.has_audio) == ((64, 48), 30, "h264", False)
    assert info.frame_rate == pytest.approx(25)
    assert info.duration == pytest.approx(1.2)
    assert VideoReader(make_video(tmp_path / "a.mkv")).info.frame_count is None


# --- times


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([0, 0.1, 0.05, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, None, 0.2], [0, 0.1, 0.2]),
        ([0, 5, 0, 5], [0, 5, 5.1, 10.1]),
        ([-0.2, 0.1], [0, 0.1]),
    ],
)
def test_times_always_rise(stamps: list[float | None], times: list[float]) -> None:
    clock = FrameClock(10)

    assert [clock.time_of(stamp) for stamp in stamps] == pytest.approx(times)


# --- damage


def test_a_cut_file_gives_its_frames_and_then_says_so(tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    whole = make_video(tmp_path / "a.mp4", 60, noise=True, container_options=options).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    frames: list[Frame] = []
    reference = cv2.VideoCapture(str(cut), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

    with pytest.raises(SourceError, match=r"cut off: expected 60 frames; \d+ frames up to \d\.\d\d s were read"):
        frames.extend(VideoReader(cut))

    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) >= sum(1 for _ in iter(reference.grab, False)) > 20


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_hole_is_passed_over(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = make_video(tmp_path / name, 60, noise=True)
    content = bytearray(video.read_bytes())
    content[len(content) // 2 : len(content) * 5 // 8] = bytes(len(content) * 5 // 8 - len(content) // 2)
    video.write_bytes(content)

    frames = read(video)

    assert 40 <= len(frames) < 60
    assert frames[-1].time == pytest.approx(59 / 25, abs=0.05)
    assert "is damaged" in caplog.text or name != "a.mp4"  # in others, frames are lost without a trace


def test_a_file_that_lost_its_index_says_so(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", 60, noise=True)
    video.write_bytes(video.read_bytes()[:-5000])

    assert "is cut off or damaged: the index of its frames is missing" in failure(video)


# --- files that are not videos


def test_files_that_are_no_videos_say_what_they_are(tmp_path: Path) -> None:
    text, empty, picture = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "picture.mp4"
    text.write_text("hello\n" * 1000)
    empty.touch()
    picture.write_bytes(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())

    assert "is not a video, or its format is unknown" in failure(text)
    assert "is empty; expected a video" in failure(empty)
    assert "is a picture (PNG), not a video" in failure(picture)
    assert "it has only sound" in failure(make_sound(tmp_path / "sound.mp4"))
    assert failure(tmp_path / "missing.mp4").startswith("no such file: ")
    assert "is a folder" in failure(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")

    assert "is a pipe" in failure(tmp_path / "pipe.mp4")


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{video}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {video}\n",
    ],
)
def test_a_file_that_names_other_files_does_not_read_them(content: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "secret.ts")
    (tmp_path / "a.mp4").write_text(content.format(video=video.name))

    assert "is not a video" in failure(tmp_path / "a.mp4")


def test_a_name_with_a_colon_is_no_address(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", 3).rename(tmp_path / "concat:b%03d.mp4")

    assert len(read(video)) == 3


@pytest.mark.parametrize("limits", [DecodingLimits(max_pixels=2000), DecodingLimits(max_side=63)])
def test_frames_above_the_limits_are_refused(limits: DecodingLimits, tmp_path: Path) -> None:
    assert "have 64 x 48 pixels, above the limit" in failure(make_video(tmp_path / "a.mp4"), limits=limits)


def test_the_size_of_a_video_file_is_not_limited(tmp_path: Path) -> None:
    assert len(read(make_video(tmp_path / "a.mp4"), limits=DecodingLimits(max_file_bytes=10))) == 30


def test_a_start_behind_the_end_is_an_error_that_says_where_it_ends(tmp_path: Path) -> None:
    assert "no frame of" in (message := failure(make_video(tmp_path / "a.mp4"), start=9))
    assert message.endswith("is shown at 9 s or later: it ends at 1.16 s")


@pytest.mark.parametrize(
    "options", [{"every": 0}, {"every": 1.5}, {"start": -1}, {"end": float("nan")}, {"start": 2, "end": 2}]
)
def test_choices_that_make_no_sense_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        VideoReader(tmp_path / "a.mp4", **options)


def test_without_pyav_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"content")
    script = (
        "import sys; sys.modules['av'] = None\n"
        "from maskcheck import PackageNotInstalled, open_source\n"
        "try: open_source(sys.argv[1])\n"
        "except PackageNotInstalled as error: print(error.package, error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.mp4")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert output.startswith("av reading videos needs PyAV")
    assert 'pip install "maskcheck[video]"' in output


# --- the end


def test_it_is_closed_from_another_thread(tmp_path: Path) -> None:
    reader = VideoReader(make_video(tmp_path / "a.mp4"))
    frames = iter(reader)
    next(frames)

    thread = threading.Thread(target=reader.close)
    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert list(frames) == []


def test_it_is_iterated_once(tmp_path: Path) -> None:
    reader = VideoReader(make_video(tmp_path / "a.mp4", 2))
    list(reader)

    with pytest.raises(RuntimeError, match="iterated only once"):
        iter(reader)


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4")
    for _ in range(3):
        read(video, start=0.5)
        next(iter(VideoReader(video)), None)

    opened = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_link(name)]  # noqa: PTH115, PTH208

    assert str(video) not in opened


def _is_link(name: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{name}")  # noqa: PTH114


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_sound_with_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    cover, song = tmp_path / "cover.png", tmp_path / "song.mp3"
    cover.write_bytes(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
        "-i",
        str(cover),
        "-map",
        "0",
        "-map",
        "1",
    ]
    subprocess.run([*command, "-disposition:v", "attached_pic", str(song)], check=True)

    assert "it has only a cover picture and sound" in failure(song)
