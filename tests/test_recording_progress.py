"""The line that says how far a video is."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from maskcheck.commands.detect.terminal.progress import Progress
from maskcheck.frames import Frame
from maskcheck.results import FrameResult
from maskcheck.sources.reader import FrameReader, VideoInfo


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What stands on the line now."""
        return self.getvalue().rsplit("\r", 1)[-1]


class Reader(FrameReader):
    def __init__(self, name: str, duration: float | None = None, *, is_live: bool = False) -> None:
        self.name, self.is_live = name, is_live
        self.info = VideoInfo((640, 480), frame_rate=25, duration=duration)

    def __iter__(self) -> Iterator[Frame]:
        return iter(())

    def close(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def run(progress: Progress, clock: Clock, reader: Reader, frames: range, *, rate: float) -> None:
    for frame in frames:
        clock.seconds += 1 / rate
        progress.show_video(reader, FrameResult((), (640, 480), frame=frame, time=frame / 25), frame + 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_video_of_known_length_tells_speed_and_time_left(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(1, stream=terminal, now=clock)

    run(progress, clock, Reader("a.mp4", 60.0), range(301), rate=50)  # twice as fast as it plays

    assert terminal.line == "0:12 of 1:00, 50 frames/s, 0:24 left"


def test_the_speed_is_that_of_the_last_seconds(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(1, stream=terminal, now=clock)
    reader = Reader("a.mp4", 3600.0)

    run(progress, clock, reader, range(1000), rate=100)
    run(progress, clock, reader, range(1000, 1060), rate=5)

    assert ", 5.0 frames/s, " in terminal.line


def test_a_video_of_unknown_length_and_a_camera_tell_frames(clock: Clock, terminal: Terminal) -> None:
    for reader in (Reader("a.ts"), Reader("0", 99.0, is_live=True)):
        run(Progress(1, stream=terminal, now=clock), clock, reader, range(1001), rate=4)

        assert terminal.line == "0:40, 1,001 frames, 4.0 frames/s"


def test_several_videos_are_counted_and_each_has_its_own_speed(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(3, stream=terminal, now=clock)

    run(progress, clock, Reader("a.mp4", 60.0), range(500), rate=100)
    progress.show(1)
    clock.seconds += 100
    run(progress, clock, Reader("b.mp4", 60.0), range(251), rate=25)

    assert terminal.line == "2 of 3: 0:10 of 1:00, 25 frames/s, 0:50 left"


def test_cameras_share_the_line(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(2, stream=terminal, now=clock)
    cameras = Reader("0", is_live=True), Reader("1", is_live=True)

    for frame in range(100):
        for camera in cameras:
            run(progress, clock, camera, range(frame, frame + 1), rate=50)

    assert terminal.line == "2 sources, 0:04, 50 frames/s"


def test_an_end_before_the_end_of_the_file_counts(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(1, stream=terminal, now=clock)
    reader = Reader("a.mp4", 60.0)

    for frame in range(101):
        clock.seconds += 1 / 25
        progress.show_video(reader, FrameResult((), (9, 9), time=frame / 25), frame + 1, end=8.0)

    assert terminal.line == "0:04 of 0:08, 25 frames/s, 0:04 left"


def test_the_line_goes_when_it_is_cleared_and_never_comes_where_there_is_no_terminal(clock: Clock) -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = Progress(1, stream=stream, now=clock)
        run(progress, clock, Reader("a.mp4", 60.0), range(3), rate=25)
        progress.clear()

    assert terminal.getvalue().endswith(" \r")
    assert file.getvalue() == ""


def test_a_line_is_never_longer_than_the_terminal(
    clock: Clock, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    run(Progress(1, stream=terminal, now=clock), clock, Reader("a.mp4", 60.0), range(301), rate=50)

    assert len(terminal.line) == 19


def test_what_an_earlier_run_has_done_says_nothing_of_the_speed_of_this_run(clock: Clock, terminal: Terminal) -> None:
    progress = Progress(1000, stream=terminal, now=clock)
    progress.start_from(900)
    clock.seconds += 10

    progress.show(920)  # two a second

    assert terminal.line == "920 of 1000, about 40 s left"
