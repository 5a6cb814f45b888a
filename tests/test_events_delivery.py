"""Events reach every sink in order, and a sink that is slow, stuck or broken never holds up who sends them."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskcheck import Face
from maskcheck.events import (
    CropFolderSink,
    Delivery,
    Event,
    JSONLinesSink,
    MaskRemoved,
    PersonEntered,
    Sink,
    SinkReport,
)
from maskcheck.events.source_names import short_name
from maskcheck.pictures.decoding import BGRImage

BOUND = 20.0  # seconds after which a test that waits has failed


def event(number: int, *, crop: BGRImage | None = None) -> Event:
    return PersonEntered("door.mp4", number / 10, number, number, "with_mask", 0.9, (1.0, 2.0, 3.0, 4.0), crop=crop)


class Gate(Sink):
    """A sink that takes nothing until it is opened."""

    name = "gate"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.taken: list[tuple[int, int]] = []

    def send(self, event: Event, *, dropped: int) -> None:
        self.entered.set()
        assert self.open.wait(BOUND)
        self.taken.append((event.frame, dropped))


def test_every_sink_gets_every_event_in_order() -> None:
    first: list[Event] = []
    second: list[Event] = []
    sent = [event(number) for number in range(90)]
    with Delivery([first.append, second.append]) as delivery:
        for each in sent:
            delivery.send(each)

    assert first == second == sent
    assert [report.delivered for report in delivery.report()] == [90, 90]


def test_a_slow_sink_loses_the_oldest_and_is_told_how_many(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    quick: list[Event] = []
    delivery = Delivery([gate, quick.append], capacity=10, crop_capacity=1000)
    with caplog.at_level(logging.WARNING, "maskcheck"):
        delivery.send(event(0))
        assert gate.entered.wait(BOUND)  # it holds the first, and nothing waits
        for number in range(1, 101):
            delivery.send(event(number))
        gate.open.set()
        reports = delivery.close(BOUND)

    assert gate.taken == [(0, 0), (91, 90), *((number, 0) for number in range(92, 101))]
    assert reports[0] == SinkReport("gate", delivered=11, dropped=90, failed=0, error=None)
    assert len(quick) == 101
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == ["events: gate is too slow: its oldest events are dropped, 1 so far"]  # one, not ninety


def test_a_stuck_sink_ends_within_the_bound_and_its_events_count_as_dropped() -> None:
    gate = Gate()
    delivery = Delivery([gate])
    for number in range(5):
        delivery.send(event(number))
    assert gate.entered.wait(BOUND)

    (report,) = delivery.close(timeout=0.05)
    delivery.send(event(5))

    assert (report.delivered, report.dropped) == (0, 5)
    assert delivery.report()[0].dropped == 6
    gate.open.set()


def test_a_sink_that_fails_is_reported_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    taken = []

    def fragile(each: Event) -> None:
        if each.frame < 3:
            raise RuntimeError(f"no {each.frame}")
        taken.append(each.frame)

    with caplog.at_level(logging.WARNING, "maskcheck"), Delivery([fragile]) as delivery:
        for number in range(6):
            delivery.send(event(number))

    assert taken == [3, 4, 5]
    (report,) = delivery.report()
    assert (report.delivered, report.failed, report.error) == (3, 3, "RuntimeError: no 0")
    assert len(caplog.records) == 1
    assert json.dumps(report.to_dict())


def test_events_that_wait_for_a_sink_without_use_for_crops_hold_none() -> None:
    held: list[object] = []

    class Holder(Gate):
        def send(self, event: Event, *, dropped: int) -> None:  # noqa: ARG002
            held.append(event.crop)

    with Delivery([Holder()]) as delivery:
        delivery.send(event(1, crop=np.zeros((4, 4, 3), np.uint8)))

    assert held == [None]


def test_json_lines_are_in_the_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    sink = JSONLinesSink(file)
    sink.send(event(1), dropped=0)
    sink.send(event(2), dropped=7)

    first, second = map(json.loads, file.read_text().splitlines())  # before it is closed

    assert Event.from_dict(first) == event(1)
    assert "dropped_before" not in first
    assert second["dropped_before"] == 7
    sink.close()


def test_streams_of_text_get_lines_and_stay_open(tmp_path: Path) -> None:
    memory = io.StringIO()
    with (tmp_path / "events.jsonl").open("w", encoding="utf-8") as stream:
        stream.write("before\n")
        with Delivery([JSONLinesSink(memory), JSONLinesSink(stream)]) as delivery:
            delivery.send(event(1))
        stream.write("after\n")

    line = json.dumps(event(1).to_dict())
    assert memory.getvalue() == f"{line}\n"
    assert (tmp_path / "events.jsonl").read_text().splitlines() == ["before", line, "after"]


def test_a_file_is_written_anew_or_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for number, append in enumerate([False, True, False]):
        sink = JSONLinesSink(file, append=append)
        sink.send(event(number), dropped=0)
        sink.close()
        frames = [json.loads(line)["frame"] for line in file.read_text().splitlines()]
        assert frames == ([number - 1, number] if append else [number])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is there on Linux only")
def test_a_full_disk_is_reported() -> None:
    with Delivery([JSONLinesSink("/dev/full", append=True)]) as delivery:
        delivery.send(event(1))

    (report,) = delivery.report()
    assert report.failed == 1
    assert report.error is not None
    assert "No space left" in report.error


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the size of files are there on POSIX only")
def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    program = """
import resource, signal, sys
from maskcheck.events import JSONLinesSink, PersonEntered
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sink = JSONLinesSink(sys.argv[1])
for number in range(20):
    try:
        sink.send(PersonEntered("a", 0.0, number, 1, "with_mask", 0.5, (0, 0, 1, 1)), dropped=0)
    except OSError:
        print("full")
"""
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, timeout=60, check=True)

    lines = file.read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(len(lines)))
    assert len(lines) + done.stdout.count("full") == 20
    assert 0 < len(lines) < 20


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that fill are tested on POSIX")
def test_a_reader_of_standard_output_that_stops_reading_does_not_keep_the_program() -> None:
    program = """
import sys
from maskcheck.events import Delivery, JSONLinesSink, PersonEntered
delivery = Delivery([JSONLinesSink(1)], capacity=50)
for number in range(5000):
    delivery.send(PersonEntered("a", 0.0, number, 1, "with_mask", 0.5, (0, 0, 1, 1)))
print(delivery.close(timeout=0.2)[0].to_dict()["dropped"] > 3000, file=sys.stderr)
"""
    read, write = os.pipe()  # nobody reads
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(write)
        os.close(read)

    assert (done.returncode, done.stderr.strip().splitlines()[-1]) == (0, "True")


def crop() -> BGRImage:
    image = np.full((80, 60, 3), 40, np.uint8)
    image[20:60, 10:50] = (0, 0, 255)
    return image


OWN = Face((10, 20, 50, 60), "with_mask", 0.9, {"with_mask": 0.9, "without_mask": 0.1})


def removed() -> MaskRemoved:
    return MaskRemoved(
        "rtsp://user:secret@10.0.0.7:554/front door",
        12.5,
        300,
        4,
        "without_mask",
        0.95,
        (0.0, 0.0, 9.0, 9.0),
        crop=crop(),
        crop_faces=(OWN,),
        previous="with_mask",
    )


def test_crops_are_written_as_jpeg_under_a_name_without_passwords(tmp_path: Path) -> None:
    with Delivery([CropFolderSink(tmp_path / "crops")]) as delivery:
        delivery.send(removed())
        delivery.send(event(2))  # has no crop

    (file,) = (tmp_path / "crops").iterdir()
    assert file.name == "10_0_0_7_554_front_door_4_000012.500s_mask_removed.jpg"
    written = cv2.imread(str(file))
    assert written is not None
    assert np.abs(written.astype(int) - crop()).mean() < 3


def test_crops_are_blurred_before_they_are_written(tmp_path: Path) -> None:
    given: list[tuple[str, float]] = []

    def blacken(image: BGRImage, faces: Sequence[Face]) -> BGRImage:
        given.extend((face.label, face.confidence) for face in faces)
        for face in faces:
            x1, y1, x2, y2 = face.pixel_box
            image[y1:y2, x1:x2] = 0
        return image

    sent = removed()
    with Delivery([CropFolderSink(tmp_path, blur=blacken)]) as delivery:
        delivery.send(sent)

    (file,) = tmp_path.iterdir()
    written = cv2.imread(str(file))
    assert written is not None
    assert written[30:50, 20:40].max() < 20
    assert given == [("without_mask", 0.95), ("with_mask", 0.9)]  # by the event, and in the crop
    assert sent.crop is not None
    assert np.array_equal(sent.crop, crop())  # others get it as it was


def test_a_folder_of_crops_that_goes_away_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    with Delivery([CropFolderSink(folder)]) as delivery:
        folder.rmdir()
        delivery.send(removed())

    assert delivery.report()[0].failed == 1


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (None, "camera"),
        ("0", "camera_0"),
        ("/videos/front door.mp4", "front_door"),
        (r"C:\videos\front door.mp4", "front_door"),
        ("rtsp://user:secret@10.0.0.7:554/stream1?token=abc", "10_0_0_7_554_stream1"),
        ("http://cam/+/#", "cam"),
        ("../..", "camera"),
        ("дверь.mp4", "дверь"),
        ("x" * 500, "x" * 60),
    ],
)
def test_short_names_are_safe(source: str | None, name: str) -> None:
    assert short_name(source) == name


def test_capacities_are_positive() -> None:
    consumer: Callable[[Event], None] = print
    with pytest.raises(ValueError, match="capacity: expected 1 or more, got 0"):
        Delivery([consumer], capacity=0)
