"""Events reach a real MQTT broker in Frigate's shape, through its death, refusals and encrypted connections."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskcheck import Face, PackageNotInstalled
from maskcheck.events import (
    Delivery,
    Event,
    LineCrossed,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    ZoneEntered,
    ZoneLeft,
)
from maskcheck.events.mqtt_address import MQTTAddress
from maskcheck.events.mqtt_messages import MQTTMessages
from maskcheck.pictures.decoding import BGRImage

BOUND = 20.0  # seconds after which a test that waits has failed

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None or find_spec("paho") is None, reason="the broker mosquitto, or paho-mqtt, is not installed"
)

SHARED: dict[str, Any] = {
    "source": "rtsp://user:secret@cam/door",
    "time": 2.0,
    "frame": 50,
    "track_id": 7,
    "label": "with_mask",
    "confidence": 0.9,
    "box": (10.0, 20.0, 50.0, 60.0),
}
ENTERED = PersonEntered(**SHARED)
REMOVED = MaskRemoved(**SHARED | {"label": "without_mask", "time": 3.0}, previous="with_mask")
LEFT = PersonLeft(**SHARED | {"label": "without_mask", "time": 5.0}, entered=2.0, seconds=3.0)
CAMERA = "cam_door"


# Without a broker: addresses and payloads.


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mqtt://broker", MQTTAddress("broker")),
        ("mqtt://broker:1884/home/door/", MQTTAddress("broker", 1884, "home/door")),
        ("mqtts://broker", MQTTAddress("broker", 8883, tls=True)),
        ("mqtt://me:p%40s%2Fs@10.0.0.1", MQTTAddress("10.0.0.1", user="me", password="p@s/s")),
        ("mqtt://me@broker", MQTTAddress("broker", user="me", password="from outside")),
        ("mqtt://[::1]:1883/x", MQTTAddress("::1", 1883, "x")),
    ],
)
def test_addresses(text: str, address: MQTTAddress) -> None:
    assert MQTTAddress.parse(text, password="from outside") == address


def test_a_password_of_the_address_comes_before_one_from_outside() -> None:
    assert MQTTAddress.parse("mqtt://me:inside@broker", password="outside").password == "inside"


def test_an_address_shows_no_password() -> None:
    address = MQTTAddress.parse("mqtts://me:secret@broker/door")

    assert str(address) == "mqtts://me@broker:8883/door"
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "broker",
        "http://broker",
        "mqtt://",
        "mqtt://broker:port",
        "mqtt://broker:0",
        "mqtt://broker:99999",
        "mqtt://broker/a+b",
        "mqtt://broker/a#b",
        "mqtt://broker/a b",
        "mqtt://broker/x?y=1",
        "mqtt://me:secret@broker:port",
        "mqtt://me:12/secret@broker",
        "mqtt://me:sec/secret@broker",
        "mqtt://me:12/secret@broker?x",
        "mqtt://me:a#secret@broker",
        "mqtt://me:a?secret@broker",
        "me:secret@broker",
    ],
)
def test_other_addresses_are_refused_without_showing_a_password(text: str) -> None:
    with pytest.raises(ValueError, match="MQTT broker: expected") as raised:
        MQTTAddress.parse(text)

    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_person_is_new_then_updated_then_ended() -> None:
    messages = MQTTMessages()

    new, update, end = (messages.take(event) for event in (ENTERED, REMOVED, LEFT))

    assert [message["type"] for message in (new, update, end)] == ["new", "update", "end"]
    assert [message["event"] for message in (new, update, end)] == ["person_entered", "mask_removed", "person_left"]
    assert update["before"] == new["after"]
    assert end["before"] == update["after"]
    assert new["after"] == {
        "id": "2.000000-cam_door-7",
        "camera": CAMERA,
        "source": "rtsp://user:***@cam/door",
        "track_id": 7,
        "label": "person",
        "sub_label": "with_mask",
        "has_mask": True,
        "score": 0.9,
        "top_score": 0.9,
        "false_positive": False,
        "start_time": 2.0,
        "end_time": None,
        "frame_time": 2.0,
        "box": [10, 20, 50, 60],
        "area": 1600,
        "current_zones": [],
        "entered_zones": [],
        "crossed_lines": [],
        "has_snapshot": False,
        "has_clip": False,
    }
    assert (update["after"]["has_mask"], update["after"]["sub_label"]) == (False, "without_mask")
    assert (end["after"]["end_time"], end["after"]["id"]) == (5.0, new["after"]["id"])


def test_zones_and_lines_of_a_person() -> None:
    messages = MQTTMessages(zones=["front door"], lines=["gate"])
    events: Sequence[Event] = [
        ENTERED,
        ZoneEntered(**SHARED, zone="front door"),
        LineCrossed(**SHARED, line="gate", direction="in"),
        ZoneLeft(**SHARED, zone="front door", entered=2.0, seconds=1.0),
    ]

    after = [messages.take(event)["after"] for event in events]

    assert [person["current_zones"] for person in after] == [[], ["front door"], ["front door"], []]
    assert after[-1]["entered_zones"] == ["front door"]
    assert after[-1]["crossed_lines"] == ["gate:in"]
    counts = {f"{count.camera}/{count.key}": value for count, value in messages.counts.items()}
    assert counts == {
        "cam_door/person": 1,
        "cam_door/with_mask": 1,
        "cam_door/zones/front_door": 0,
        "cam_door/lines/gate/in": 1,
        "cam_door/lines/gate/out": 0,
    }


def test_people_of_different_cameras_are_told_apart() -> None:
    messages = MQTTMessages(["a/door.mp4", "b/door.mp4"])
    ids = {messages.take(replace(ENTERED, source=source))["after"]["id"] for source in ("a/door.mp4", "b/door.mp4")}

    assert len(ids) == 2
    assert {count.camera for count in messages.counts} == {"door", "door_2"}


def test_times_are_those_of_the_clock_where_there_is_one() -> None:
    message = MQTTMessages().take(replace(ENTERED, clock=datetime(2026, 1, 2, tzinfo=UTC)))

    assert message["after"]["start_time"] == 1767312000.0


def test_without_paho_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from maskcheck.events.mqtt import MQTTSink

    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(PackageNotInstalled, match=r"pip install \"maskcheck\[mqtt\]\""):
        MQTTSink("mqtt://broker")


# With a broker.


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + BOUND
    turn = threading.Event()
    while not condition():
        assert time.monotonic() < until, "waited too long"
        turn.wait(0.01)


class Broker:
    """A mosquitto process, which can be killed and started again at the same port."""

    def __init__(self, folder: Path, settings: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root", *settings]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(BOUND)
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto has ended"
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """A client that keeps all messages, and for each topic the last one that the broker has kept."""

    def __init__(self, broker: Broker, *, user: tuple[str, str] | None = None, ca_file: Path | None = None) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(*user)
        if ca_file is not None:
            self._client.tls_set(str(ca_file))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, bytes(message.payload))
        )
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self.subscribed.wait(BOUND)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def last(self) -> dict[str, str]:
        return {topic: payload.decode("latin-1") for topic, payload in list(self.messages)}

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload in list(self.messages) if topic.endswith("/events")]


def start_and_listen(broker: Broker) -> Listener:
    broker.start()
    return Listener(broker)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def sink_for(broker: Broker, **options: Any) -> Any:
    from maskcheck.events.mqtt import MQTTSink

    return MQTTSink(f"mqtt://127.0.0.1:{broker.port}/maskcheck", **options)


@needs_mosquitto
def test_events_and_counts_are_published(broker: Broker) -> None:
    with closing(Listener(broker)) as listener:
        delivery = Delivery([sink_for(broker, sources=["rtsp://user:secret@cam/door"])])
        wait_for(lambda: listener.last.get("maskcheck/cam_door/person") == "0")
        delivery.send(ENTERED)
        wait_for(lambda: listener.last.get("maskcheck/cam_door/with_mask") == "1")
        delivery.send(REMOVED)
        delivery.send(LEFT)
        (report,) = delivery.close(BOUND)
        wait_for(lambda: listener.last["maskcheck/available"] == "offline")

    assert [(event["type"], event["event"]) for event in listener.events] == [
        ("new", "person_entered"),
        ("update", "mask_removed"),
        ("end", "person_left"),
    ]
    assert listener.last["maskcheck/cam_door/person"] == "0"
    assert (report.delivered, report.dropped, report.error) == (3, 0, None)
    assert not any(b"secret" in payload or "secret" in topic for topic, payload in listener.messages)


@needs_mosquitto
def test_counts_and_availability_are_kept_for_who_comes_later(broker: Broker) -> None:
    with Delivery([sink_for(broker)]) as delivery:
        with closing(Listener(broker)) as early:
            delivery.send(ENTERED)
            wait_for(lambda: early.last.get("maskcheck/cam_door/with_mask") == "1")
        with closing(Listener(broker)) as late:
            wait_for(lambda: len(late.last) >= 4)

        assert late.last == {
            "maskcheck/available": "online",
            "maskcheck/cam_door/person": "1",
            "maskcheck/cam_door/with_mask": "1",
            "maskcheck/cam_door/without_mask": "0",
        }


@needs_mosquitto
def test_a_broker_that_is_away_at_the_start_gets_what_waited_and_is_told_what_did_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(tmp_path)
    sink = sink_for(broker, capacity=3)
    with caplog.at_level(logging.WARNING, "maskcheck"):
        # So the next attempt is a second away, after the listener is there.
        wait_for(lambda: "the broker cannot be reached: [Errno" in caplog.text)
    for number in range(10):
        sink.send(replace(ENTERED, track_id=number), dropped=2 if number == 8 else 0)
    try:
        with closing(start_and_listen(broker)) as listener:
            wait_for(lambda: len(listener.events) == 3)
            sink.close()
    finally:
        broker.kill()

    assert [(event["after"]["track_id"], event.get("dropped_before")) for event in listener.events] == [
        (7, 7),
        (8, 2),
        (9, None),
    ]
    assert sink.lost() == 7


@needs_mosquitto
def test_a_broker_that_dies_in_the_middle_gets_everything_in_order_and_counts_of_now(broker: Broker) -> None:
    sink = sink_for(broker, sources=[ENTERED.source])
    with Delivery([sink]) as delivery:
        with closing(Listener(broker)) as listener:
            delivery.send(ENTERED)
            wait_for(lambda: len(listener.events) == 1)
        broker.kill()
        wait_for(lambda: sink.problem is not None)
        for number in range(20):
            delivery.send(replace(ENTERED, track_id=100 + number))
        broker.start()  # and has forgotten everything
        with closing(Listener(broker)) as listener:
            wait_for(lambda: listener.last.get("maskcheck/cam_door/person") == "21")

            assert listener.last["maskcheck/available"] == "online"
            # The first ones are sent before the listener is there, if it is late.
            seen = [event["after"]["track_id"] for event in listener.events]
            assert seen == list(range(120 - len(seen), 120))


@needs_mosquitto
def test_a_broker_that_dies_under_load_gets_the_rest_in_order_and_none_twice_but_one(broker: Broker) -> None:
    sink = sink_for(broker)
    with Delivery([sink]) as delivery:
        with closing(Listener(broker)) as listener:
            for number in range(400):
                delivery.send(replace(ENTERED, track_id=number))
            wait_for(lambda: len(listener.events) >= 20)
            broker.kill()
            before = [event["after"]["track_id"] for event in listener.events]
        wait_for(lambda: sink.problem is not None)
        with closing(start_and_listen(broker)) as listener:
            wait_for(lambda: listener.last.get("maskcheck/cam_door/person") == "400")
            after = [event["after"]["track_id"] for event in listener.events]

    assert before == list(range(len(before)))
    assert after == list(range(after[0], 400))
    assert sink.lost() == 0
    # What was under way when the broker died comes again; what the broker had and not passed on died with it.
    assert after[0] >= len(before) - 1


@needs_mosquitto
@pytest.mark.skipif(sys.platform == "win32", reason="processes are stopped on POSIX")
def test_a_broker_that_hangs_holds_up_neither_events_nor_the_end(broker: Broker) -> None:
    delivery = Delivery([sink_for(broker)])
    with closing(Listener(broker)) as listener:
        delivery.send(ENTERED)
        wait_for(lambda: listener.last.get("maskcheck/cam_door/person") == "1")
        broker.signal(signal.SIGSTOP)
        for number in range(500):
            delivery.send(replace(ENTERED, track_id=number))
        started = time.monotonic()
        (report,) = delivery.close(timeout=1.0)
        seconds = time.monotonic() - started
        broker.signal(signal.SIGCONT)

    assert seconds < 5
    assert report.delivered + report.dropped == 501
    assert report.dropped > 400


@needs_mosquitto
def test_what_a_broker_misses_is_bounded_and_said(broker: Broker) -> None:
    sink = sink_for(broker, capacity=5)
    delivery = Delivery([sink])
    with closing(Listener(broker)) as listener:
        wait_for(lambda: "maskcheck/available" in listener.last)
        broker.kill()
        wait_for(lambda: sink.problem is not None)
        for number in range(20):
            delivery.send(replace(ENTERED, track_id=number))
        wait_for(lambda: sink.lost() == 15)
        listener.subscribed.clear()
        # The client tries again after a second at the earliest; the listener may be later, so it counts at the end.
        broker.start()
        wait_for(lambda: sink.problem is None)
        (report,) = delivery.close(BOUND)

    assert (report.delivered, report.dropped) == (5, 15)


@needs_mosquitto
def test_the_broker_says_offline_when_the_program_dies(broker: Broker) -> None:
    program = """
import os, sys
from maskcheck.events.mqtt import MQTTSink
sink = MQTTSink(sys.argv[1])
print(sink.wait_connected(20), flush=True)
sys.stdin.read()
os._exit(1)
"""
    with closing(Listener(broker)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-c", program, f"mqtt://127.0.0.1:{broker.port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        wait_for(lambda: listener.last.get("maskcheck/available") == "online")
        process.kill()
        process.communicate(timeout=BOUND)
        wait_for(lambda: listener.last["maskcheck/available"] == "offline")


@needs_mosquitto
@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from maskcheck.events.mqtt import MQTTSink

    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "me", "right"], check=True, capture_output=True)
    broker = Broker(tmp_path, ["allow_anonymous false", f"password_file {file}"])
    broker.start()
    try:
        right = MQTTSink(f"mqtt://me:right@127.0.0.1:{broker.port}")
        wrong = MQTTSink(f"mqtt://me:wr0ng@127.0.0.1:{broker.port}")
        nobody = MQTTSink(f"mqtt://127.0.0.1:{broker.port}")
        with caplog.at_level(logging.INFO):
            states = [sink.wait_connected(BOUND) for sink in (right, wrong, nobody)]
        problems = [sink.problem for sink in (right, wrong, nobody)]
        wrong.send(ENTERED, dropped=0)
        for sink in (right, wrong, nobody):
            sink.close()
    finally:
        broker.kill()

    assert states == [True, False, False]
    assert problems == [
        None,
        "the broker refuses the connection for the user 'me': Not authorized",
        "the broker refuses the connection without a user: Not authorized",
    ]
    assert wrong.lost() == 1
    assert "wr0ng" not in caplog.text + repr(wrong) + wrong.name


@needs_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket open
def test_an_encrypted_connection_checks_the_certificate(tmp_path: Path) -> None:
    from maskcheck.events.mqtt import MQTTSink

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    broker = Broker(tmp_path, ["allow_anonymous true", f"certfile {certificate}", f"keyfile {key}"])
    broker.start()
    try:
        address = f"mqtts://localhost:{broker.port}"
        trusting, doubting = MQTTSink(address, ca_file=certificate), MQTTSink(address)
        states = [sink.wait_connected(BOUND) for sink in (trusting, doubting)]
        problem = doubting.problem
        for sink in (trusting, doubting):
            sink.close()
    finally:
        broker.kill()

    assert states == [True, False]
    assert problem is not None
    assert "certificate verify failed" in problem


@needs_mosquitto
def test_home_assistant_finds_a_sensor_for_each_count(broker: Broker) -> None:
    sink = sink_for(broker, zones=["Büro"], lines=["gate"], discovery="homeassistant")
    sink.add_source("door.mp4")
    with closing(Listener(broker)) as listener:
        wait_for(lambda: len([topic for topic in listener.last if topic.endswith("/config")]) == 6)
        sink.close()
        wait_for(lambda: listener.last["maskcheck/available"] == "offline")

    found = {topic: json.loads(text) for topic, text in listener.last.items() if topic.startswith("homeassistant/")}
    assert all(payload["state_topic"] in listener.last for payload in found.values())
    assert all(topic.isascii() for topic in found)
    assert len({payload["unique_id"] for payload in found.values()}) == 6
    person = found["homeassistant/sensor/maskcheck_door/person/config"]
    assert (person["name"], person["availability_topic"]) == ("People", "maskcheck/available")
    assert listener.last[person["state_topic"]] == "0"


@needs_mosquitto
def test_snapshots_are_published_after_they_are_blurred(broker: Broker) -> None:
    def blacken(image: BGRImage, _faces: Sequence[Face]) -> BGRImage:
        return np.zeros_like(image)

    crop = np.full((60, 50, 3), 255, np.uint8)
    with closing(Listener(broker)) as listener:
        with Delivery([sink_for(broker, snapshots=True, blur=blacken)]) as delivery:
            delivery.send(replace(ENTERED, crop=crop))
        wait_for(lambda: "maskcheck/cam_door/person/snapshot" in listener.last)
        (jpeg,) = [payload for topic, payload in listener.messages if topic.endswith("/snapshot")]

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == crop.shape
    assert picture.max() < 10
    assert listener.events[0]["after"]["has_snapshot"]


@needs_mosquitto
@pytest.mark.parametrize("qos", [0, 2])
def test_every_quality_of_service_delivers(broker: Broker, qos: int) -> None:
    with closing(Listener(broker)) as listener:
        with Delivery([sink_for(broker, qos=qos)]) as delivery:
            for number in range(50):
                delivery.send(replace(ENTERED, track_id=number))
        wait_for(lambda: len(listener.events) == 50)

    assert [event["after"]["track_id"] for event in listener.events] == list(range(50))


def test_a_sink_whose_broker_never_was_there_ends_in_time() -> None:
    pytest.importorskip("paho.mqtt")
    from maskcheck.events.mqtt import MQTTSink

    with Delivery([MQTTSink(f"mqtt://127.0.0.1:{free_port()}")]) as delivery:
        delivery.send(ENTERED)

    (report,) = delivery.report()
    assert (report.delivered, report.dropped) == (0, 1)
