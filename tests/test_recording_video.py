"""Annotated videos: times, sizes, sound, and what happens when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_video import make_scene, write
from maskcheck.errors import PackageNotInstalled
from maskcheck.pictures.decoding import BGRImage
from maskcheck.recording import VideoWriter, encoding
from maskcheck.sources.reader import VideoInfo
from maskcheck.sources.video_file import VideoReader

av = pytest.importorskip("av")

SIZE = (64, 48)
LIKE = VideoInfo(SIZE, frame_rate=25.0, time_base=(1, 12_800))
RATE = 44_100
UNEVEN = [0.0, 0.04, 0.1, 0.13, 0.5, 0.52, 1.0, 1.04, 1.9]
FORMATS = ["mp4", "mov", "mkv"]


def picture(shade: int = 128, size: tuple[int, int] = SIZE) -> BGRImage:
    return np.full((size[1], size[0], 3), shade, np.uint8)


def times(path: Path, kind: str = "video") -> list[float]:
    """When each packet is shown or heard, in seconds."""
    with av.open(str(path)) as file:
        packets = file.demux(file.streams.get({kind: 0}))
        return sorted(float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None)


def frames(path: Path) -> list[BGRImage]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]


def make_source(
    path: Path, *, codec: str | None = "aac", seconds: float = 3.0, flash: float = 1.5, sounds: int = 1, **options: Any
) -> Path:
    """A video with B-frames that is white for one frame, when a tone begins in its sound."""
    with av.open(str(path), "w", **options) as file:
        video: Any = file.add_stream("libx264", rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
        video.codec_context.options = {"bf": "2", "preset": "ultrafast"}
        layout = "mono"
        streams: list[Any] = [file.add_stream(codec, rate=48_000, layout=layout) for _ in range(sounds if codec else 0)]
        for index in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(picture(255 if index == round(flash * 25) else 0), "bgr24")
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        samples = np.arange(round(seconds * 48_000))
        tone = np.where(samples >= flash * 48_000, 0.5 * np.sin(samples * 2 * np.pi * 1000 / 48_000), 0)
        sound = (tone * 32_767).astype(np.int16)[None]
        for stream in streams:
            for first in range(0, sound.shape[1], 1024):
                part = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, first : first + 1024]), "s16", layout)
                part.sample_rate, part.pts = 48_000, first
                file.mux(stream.encode(part))
            file.mux(stream.encode(None))
    return path


def copy(source: Path, target: Path, *, start: float = 0.0, end: float | None = None, all_sound: bool = True) -> Path:
    """A video with the pictures and the sound of another, as a run of the command makes it."""
    with (
        av.open(str(source)) as file,
        VideoWriter(target, like=LIKE, audio_from=source, start=start, end=end) as writer,
    ):
        stream = file.streams.video[0]
        for frame in file.decode(stream):
            time = float((frame.pts - stream.start_time) * stream.time_base)
            if start <= time < (end or 1e9):
                writer.write(frame.to_ndarray(format="bgr24"), time)
        written = writer.close(all_sound=all_sound)
    assert written is not None
    return written


def flash_and_tone(path: Path) -> tuple[float, float]:
    """When the picture is white, and when the tone begins, in seconds."""
    with av.open(str(path)) as file:
        seen = next(float(frame.time) for frame in file.decode(video=0) if frame.to_ndarray(format="gray").mean() > 128)
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("flt", "mono")
        for frame in file.decode(audio=0):
            for part in resampler.resample(frame):
                loud = np.flatnonzero(np.abs(part.to_ndarray().ravel()) > 0.1)
                if loud.size:
                    return seen, float(part.time) + loud[0] / part.sample_rate
    raise AssertionError("there is no tone")


@pytest.mark.parametrize("form", FORMATS)
def test_a_variable_frame_rate_stays_what_it_is(tmp_path: Path, form: str) -> None:
    with VideoWriter(tmp_path / f"a.{form}", like=LIKE) as writer:
        for time in UNEVEN:
            writer.write(picture(), time)

    assert times(tmp_path / f"a.{form}") == pytest.approx(UNEVEN, abs=0.001)


def test_time_begins_at_the_start_that_is_asked_for(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", like=LIKE, start=10.0) as writer:
        for time in UNEVEN:
            writer.write(picture(), 10.2 + time)

    assert times(tmp_path / "a.mp4") == pytest.approx([0.2 + time for time in UNEVEN], abs=0.001)


@pytest.mark.parametrize("time_base", [None, (1, 90_000), (1001, 30_000), (1, 25), (1, 1_000_000_000), (0, 1)])
def test_times_are_kept_whatever_the_time_base_of_the_source(tmp_path: Path, time_base: tuple[int, int] | None) -> None:
    with VideoWriter(tmp_path / "a.mp4", like=VideoInfo(SIZE, time_base=time_base)) as writer:
        for time in UNEVEN:
            writer.write(picture(), time)

    assert times(tmp_path / "a.mp4") == pytest.approx(UNEVEN, abs=0.001)


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_pictures_have_their_size_and_colours_and_no_rotation(tmp_path: Path, size: tuple[int, int]) -> None:
    image = picture(0, size)
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 94, 213), (115, 158, 0), (255, 255, 255)]
    for index, colour in enumerate(colours):
        image[:, index * size[0] // 6 : (index + 1) * size[0] // 6] = colour

    with VideoWriter(tmp_path / "a.mp4", like=VideoInfo(size, rotation=90, frame_rate=25)) as writer:
        writer.write(image, 0.0)

    with av.open(str(tmp_path / "a.mp4")) as file:
        (frame,) = file.decode(video=0)
        shown = frame.to_ndarray(format="bgr24")
        assert (frame.width, frame.height, frame.rotation) == (*size, 0)
        assert frame.format.name == "yuv420p"  # which browsers play
    for index, colour in enumerate(colours):
        assert shown[size[1] // 2, (2 * index + 1) * size[0] // 12] == pytest.approx(colour, abs=6)


def test_odd_sides_grow_by_the_last_row_and_column(tmp_path: Path) -> None:
    image = picture(0, (65, 49))
    image[-1], image[:, -1] = 255, 255

    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        writer.write(image, 0.0)

    (shown,) = frames(tmp_path / "a.mp4")
    assert shown.shape == (50, 66, 3)
    assert shown[-2:].mean() > 200
    assert shown[:, -2:].mean() > 200
    assert shown[:40, :60].mean() < 30


@pytest.mark.parametrize(("size", "written"), [((16, 16), (16, 16)), ((1, 1), (16, 16)), ((3, 500), (16, 500))])
def test_one_small_frame_is_a_video(tmp_path: Path, size: tuple[int, int], written: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "a.mp4", like=VideoInfo(size)) as writer:
        writer.write(picture(200, size), 0.0)

    (shown,) = frames(tmp_path / "a.mp4")
    assert shown.shape == (written[1], written[0], 3)
    assert shown.mean() == pytest.approx(200, abs=6)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.duration / 1_000_000 == pytest.approx(1 / 25, abs=0.01)


def test_a_picture_of_another_size_is_fitted_in_and_a_note_says_so(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        writer.write(picture(200, (64, 48)), 0.0)
        writer.write(picture(200, (100, 400)), 0.04)

    _, second = frames(tmp_path / "a.mp4")
    assert second.shape == (48, 64, 3)
    assert second[:, 28:36].mean() > 150
    assert second[:, :20].mean() < 30
    assert writer.notes == ("pictures of other sizes were scaled to fit into 64 x 48 pixels",)


def test_times_that_do_not_rise_still_give_a_video_of_all_pictures(tmp_path: Path) -> None:
    given = [0.0, 0.0, 0.04, 0.03, 0.08, 50.0, 0.0, 0.04, 0.08]  # equal, back by a little, and a clock that restarts

    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        for time in given:
            writer.write(picture(), time)

    written = times(tmp_path / "a.mp4")
    assert len(written) == len(given)
    assert all(later > earlier for earlier, later in pairwise(written))
    assert written[6:] == pytest.approx([50.04, 50.08, 50.12], abs=0.001)
    assert writer.notes == ("3 pictures had a time that did not rise, and follow the last one",)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_sound_is_copied_in_sync(tmp_path: Path, form: str, start: float) -> None:
    source = make_source(tmp_path / "source.mp4")
    expected = flash_and_tone(source)

    written = copy(source, tmp_path / f"a.{form}", start=start)

    assert written == tmp_path / f"a.{form}"
    assert flash_and_tone(written) == pytest.approx([time - start for time in expected], abs=0.003)


def test_sound_of_a_transport_stream_is_copied(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.ts", format="mpegts")
    seen, heard = flash_and_tone(source)

    for form in FORMATS:
        shown, told = flash_and_tone(copy(source, tmp_path / f"a.{form}"))

        assert told - shown == pytest.approx(heard - seen, abs=0.003)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_video_that_is_read_and_written_is_upright_and_as_long_and_sounds_the_same(
    tmp_path: Path, rotation: int
) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "a.mp4"
    scene = make_scene("masks", seed=1, fps=25, seconds=2, size=(160, 90), variable_rate=True)
    write(scene, source, rotation=rotation, audio=True)
    read: list[tuple[float, BGRImage]] = []

    with VideoReader(source) as reader, VideoWriter(target, like=reader.info, audio_from=source) as writer:
        for frame in reader:
            assert isinstance(frame.image, np.ndarray)
            assert frame.time is not None
            read.append((frame.time, frame.image))
            writer.write(frame.image, frame.time)
        writer.close(all_sound=True)

    with VideoReader(target) as again:
        assert (again.info.rotation, again.info.size) == (0, reader.info.size)
        for (time, image), frame in zip(read, again, strict=True):
            assert frame.time == pytest.approx(time, abs=0.001)
            assert isinstance(frame.image, np.ndarray)
            assert np.abs(frame.image.astype(np.float32) - image).mean() < 6
    assert times(target, "audio") == pytest.approx(times(source, "audio"), abs=0.001)


def test_sound_ends_with_the_last_picture_unless_the_source_was_read_to_its_end(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", seconds=4.0)
    ends = {}
    for all_sound in (False, True):
        with VideoWriter(tmp_path / "a.mp4", like=LIKE, audio_from=source) as writer:
            for index in range(25):
                writer.write(picture(), index / 25)
            writer.close(all_sound=all_sound)
        ends[all_sound] = times(tmp_path / "a.mp4", "audio")[-1]

    assert ends[False] == pytest.approx(1.0, abs=0.05)
    assert ends[True] == pytest.approx(4.0, abs=0.05)


def test_sound_is_cut_to_start_and_end(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", seconds=4.0)

    written = copy(source, tmp_path / "a.mp4", start=1.0, end=2.0)

    heard = times(written, "audio")
    assert heard[0] == pytest.approx(0.0, abs=0.03)
    assert heard[-1] == pytest.approx(1.0, abs=0.03)
    assert len(times(written)) == 25


@pytest.mark.parametrize(
    ("codec", "asked", "written"),
    [
        ("libopus", "mp4", "mp4"),
        ("libopus", "mov", "mkv"),
        ("flac", "mov", "mkv"),
        ("pcm_s16le", "mp4", "mkv"),
        ("pcm_s16le", "mov", "mov"),
    ],
)
def test_where_a_container_does_not_take_the_sound_another_does(
    tmp_path: Path, codec: str, asked: str, written: str
) -> None:
    source = make_source(tmp_path / "source.mkv", codec=codec)

    path = copy(source, tmp_path / f"a.{asked}")

    assert path == tmp_path / f"a.{written}"
    assert [file.name for file in tmp_path.iterdir() if file != source] == [path.name]
    seen, heard = flash_and_tone(path)
    assert heard == pytest.approx(seen, abs=0.03)


def test_all_audio_streams_are_kept(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", sounds=2)

    with av.open(str(copy(source, tmp_path / "a.mp4"))) as file:
        assert [stream.codec_context.name for stream in file.streams.audio] == ["aac", "aac"]


def test_a_source_without_sound_gives_a_video_without(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", codec=None)

    with av.open(str(copy(source, tmp_path / "a.mp4"))) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_sound_that_cannot_be_read_is_noted_and_the_pictures_are_kept(tmp_path: Path) -> None:
    (tmp_path / "source.mp4").write_bytes(b"no video")

    with VideoWriter(tmp_path / "a.mp4", like=LIKE, audio_from=tmp_path / "source.mp4") as writer:
        writer.write(picture(), 0.0)

    assert len(frames(tmp_path / "a.mp4")) == 1
    (note,) = writer.notes
    assert note.startswith("the sound could not be copied")


def test_sound_that_is_cut_off_ends_early_and_the_pictures_go_on(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mkv", seconds=4.0)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])

    with VideoWriter(tmp_path / "a.mkv", like=LIKE, audio_from=source) as writer:
        for index in range(100):
            writer.write(picture(), index / 25)
        writer.close(all_sound=True)

    assert len(times(tmp_path / "a.mkv")) == 100


def test_the_file_appears_whole_at_the_end_and_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"older")
    writer = VideoWriter(target, like=LIKE)
    writer.write(picture(), 0.0)
    assert target.read_bytes() == b"older"

    assert writer.close() == target

    assert len(frames(target)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert writer.close() == target  # nothing more happens
    with pytest.raises(RuntimeError, match="closed"):
        writer.write(picture(), 1.0)


def test_without_a_picture_there_is_no_file(tmp_path: Path) -> None:
    assert VideoWriter(tmp_path / "a.mp4", like=LIKE).close() is None

    assert list(tmp_path.iterdir()) == []


def test_an_aborted_video_is_deleted(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", like=LIKE, audio_from=make_source(tmp_path / "source.mp4"))
    for index in range(50):
        writer.write(picture(), index / 25)

    writer.abort()

    assert [file.name for file in tmp_path.iterdir()] == ["source.mp4"]


def test_what_was_written_before_ctrl_c_is_kept(tmp_path: Path) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
            for index in range(30):
                writer.write(picture(), index / 25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert len(times(tmp_path / "a.mp4")) == 30


def test_a_picture_may_be_changed_after_it_was_written(tmp_path: Path) -> None:
    image = picture()
    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        for index in range(25):
            image[:] = index * 10
            writer.write(image, index / 25)

    means = [frame.mean() for frame in frames(tmp_path / "a.mp4")]
    assert means == pytest.approx([index * 10 for index in range(25)], abs=8)


@pytest.mark.parametrize("name", ["a:b.mp4", "http:x.mp4", "ü 口罩.mp4", "50%d.mp4"])
def test_a_name_is_a_name_and_no_address_or_pattern(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and ":" in name:
        pytest.skip("Windows has no such names")
    source = make_source(tmp_path / "source.mp4").rename(tmp_path / f"x{name}")

    assert copy(source, tmp_path / name) == tmp_path / name

    assert len(times(tmp_path / name, "audio")) > 100


@pytest.mark.skipif(not hasattr(os, "symlink") or sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_the_way_of_the_unfinished_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.mp4.part").symlink_to(tmp_path / "precious")

    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        writer.write(picture(), 0.0)

    assert (tmp_path / "precious").read_text() == "precious"
    assert len(frames(tmp_path / "a.mp4")) == 1


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.mp4, \.m4v, \.mov, \.mkv, got 'a\.avi'"):
        VideoWriter(tmp_path / "a.avi", like=LIKE)
    with pytest.raises(ValueError, match="end: expected seconds, more than start"):
        VideoWriter(tmp_path / "a.mp4", like=LIKE, start=2, end=1)
    with pytest.raises(OSError, match="No such file"):
        VideoWriter(tmp_path / "nowhere" / "a.mp4", like=LIKE)
    with VideoWriter(tmp_path / "a.mp4", like=LIKE) as writer:
        with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\), got float64"):
            writer.write(np.zeros((4, 4, 3)), 0.0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="time: expected seconds"):
            writer.write(picture(), float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_without_libx264_mpeg4_is_written_with_the_same_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_CODECS", ("no_such_codec", "mpeg4"))

    with VideoWriter(tmp_path / "a.mp4", like=VideoInfo(SIZE, time_base=(1, 90_000))) as writer:
        for time in UNEVEN:
            writer.write(picture(), time)

    assert times(tmp_path / "a.mp4") == pytest.approx(UNEVEN, abs=0.001)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "mpeg4"


def test_without_pyav_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(PackageNotInstalled, match=r'pip install "maskcheck\[video\]"') as raised:
        VideoWriter(tmp_path / "a.mp4", like=LIKE)

    assert raised.value.package == "av"


def test_the_package_loads_neither_pyav_nor_matplotlib() -> None:
    code = "import sys, maskcheck.recording; print({'av', 'matplotlib', 'scipy'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# Writes pictures of noise for ever, and says when there are six seconds of them.
WRITE = """
import signal, sys
import numpy as np
from maskcheck.recording import VideoWriter
from maskcheck.sources.reader import VideoInfo

path, limit, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if limit:
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
writer = VideoWriter(path, like=VideoInfo((96, 96), frame_rate=25), audio_from=sys.argv[4])
failures = []
try:
    for index in range(count):
        writer.write(np.roll(noise, index, 0), index / 25)
        if index == 150 and not limit:
            print("ready", flush=True)
except OSError as error:
    failures.append(error)
try:
    writer.close()
except OSError as error:
    failures.append(error)
print(*(error.filename for error in failures))
"""


@pytest.mark.parametrize("form", FORMATS)
def test_a_killed_process_leaves_a_file_that_plays(tmp_path: Path, form: str) -> None:
    source = make_source(tmp_path / "source.mp4", seconds=2.0)  # the sound ends before the pictures
    target = tmp_path / f"a.{form}"
    command = [sys.executable, "-c", WRITE, str(target), "0", "1000000000", str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()

    assert not target.exists()
    shown = times(tmp_path / f"a.{form}.part")
    assert len(shown) > 75  # three of six seconds and more
    assert shown == pytest.approx(np.arange(len(shown)) / 25, abs=0.001)
    assert len(frames(tmp_path / f"a.{form}.part")) == len(shown)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="limits of the size of files are of Unix")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("missing", [1, 3_000, 0.5])
def test_on_a_full_disk_what_was_written_stays_valid(tmp_path: Path, form: str, missing: float) -> None:
    source = make_source(tmp_path / "source.mp4", seconds=2.0)
    target = tmp_path / f"a.{form}"
    command = [sys.executable, "-c", WRITE, str(target), "0", "100", str(source)]
    subprocess.run(command, check=True, capture_output=True)
    size = target.stat().st_size
    target.unlink()

    command[4] = str(int(size * missing) if missing < 1 else size - int(missing))
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert str(target) in done.stdout or f"{target}.part" in done.stdout
    assert len(frames(target)) >= (25 if missing == 0.5 else 75)
    assert not (tmp_path / f"a.{form}.part").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="limits of the size of files are of Unix")
def test_on_a_disk_that_is_full_at_once_there_is_no_file(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source.mp4", seconds=2.0)
    command = [sys.executable, "-c", WRITE, str(tmp_path / "a.mp4"), "2000", "100", str(source)]

    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert "a.mp4" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["source.mp4"]
