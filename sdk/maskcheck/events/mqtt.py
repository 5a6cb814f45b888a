"""Events to an MQTT broker, in the shape that home-automation programs know from Frigate."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from maskcheck.errors import PackageNotInstalled
from maskcheck.events.crop_files import BlurHook, crop_as_jpeg
from maskcheck.events.delivery import Sink
from maskcheck.events.event import Event
from maskcheck.events.mqtt_address import MQTTAddress
from maskcheck.events.mqtt_messages import MQTTMessages
from maskcheck.events.mqtt_outbox import MQTTMessage, MQTTOutbox
from maskcheck.log import LOGGER

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_KEEP_ALIVE = 20  # seconds after which a broker that says nothing counts as gone
_CONNECT_TIMEOUT = 5.0
_RECONNECT_AFTER = (1, 30)  # seconds: at first, and at most
_LABELS = ("with_mask", "without_mask")


class MQTTSink(Sink):
    """Publishes events and counts on an MQTT broker.

    Below the prefix of the address, topics are:

    - ``available``: ``online`` or ``offline``; kept by the broker, which says ``offline`` itself if the program dies;
    - ``events``: ``{"type": "new", "update" or "end", "event": ..., "before": {...}, "after": {...}}`` of a person;
    - ``CAMERA/person``, ``CAMERA/with_mask`` and other labels, ``CAMERA/zones/ZONE``: people in view now; kept;
    - ``CAMERA/lines/LINE/in`` and ``out``: people who crossed a line so far; kept;
    - ``CAMERA/person/snapshot``: the last crop, a JPEG file, if asked for; kept.

    The client connects in the background, and again whenever the connection is lost. Events wait for it, the oldest are
    dropped where too many do, and the next message says how many, as ``dropped_before``. They come in order, with a
    `qos` of 1 each at least once. Counts are always those of now.

    Args:
        address: Of the broker.
        sources: Sources whose counts are there from the start, as 0.
        labels: Labels that are counted from the start, as 0.
        zones: Names of the zones.
        lines: Names of the lines.
        discovery: First levels of Home Assistant's topics, usually ``homeassistant``, for messages that make each count
            a sensor there; None for none.
        snapshots: Whether crops are published.
        blur: Blurs faces in crops before they are published.
        qos: Quality of service: 0, 1 or 2.
        ca_file: Certificates of authorities that the broker's certificate may be signed by; by default, the system's.
        capacity: Most events that wait for the connection.

    Raises:
        PackageNotInstalled: The package paho-mqtt is not installed, or is older than 2.
        ValueError: The address is none.
        OSError: `ca_file` cannot be read.
    """

    def __init__(
        self,
        address: MQTTAddress | str,
        *,
        sources: Iterable[str | None] = (),
        labels: Iterable[str] = _LABELS,
        zones: Iterable[str] = (),
        lines: Iterable[str] = (),
        discovery: str | None = None,
        snapshots: bool = False,
        blur: BlurHook | None = None,
        qos: Literal[0, 1, 2] = 1,
        ca_file: str | os.PathLike[str] | None = None,
        capacity: int = 1000,
    ) -> None:
        self.address = MQTTAddress.parse(address) if isinstance(address, str) else address
        self.name = str(self.address)
        self.takes_crops = snapshots
        self._blur, self._qos = blur, qos
        self._messages = MQTTMessages(sources, labels=labels, zones=zones, lines=lines)
        self._outbox = MQTTOutbox(self.address.prefix, self._messages.counts, discovery=discovery, capacity=capacity)
        self._changed = threading.Condition()  # guards all of these
        self._connected = self._closing = self._event_under_way = False
        self._problem: str | None = None
        self._acknowledged: set[int] = set()
        self._lost = 0
        self._client = self._make_client(ca_file)
        self._publisher = threading.Thread(target=self._publish_all, name=f"maskcheck {self.name}", daemon=True)
        self._client.connect_async(self.address.host, self.address.port, keepalive=_KEEP_ALIVE)
        self._client.loop_start()
        self._publisher.start()

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in words; None while there is one, and before the first attempt has ended."""
        with self._changed:
            return self._problem

    def add_source(self, source: str | None) -> None:
        """Publish the counts of a source from now on, as 0, and not only from its first event on."""
        with self._changed:
            self._messages.camera(source)
            self._changed.notify_all()

    def wait_connected(self, timeout: float) -> bool:
        """Wait until there is a connection, or the first attempt has failed; say whether there is one.

        Args:
            timeout: Seconds to wait at most.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._problem is not None, timeout)
            return self._connected

    def send(self, event: Event, *, dropped: int) -> None:
        """Queue the messages of an event."""
        jpeg = crop_as_jpeg(event, self._blur) if self.takes_crops else None
        with self._changed:
            payload = self._messages.take(event, has_snapshot=jpeg is not None)
            if dropped:
                payload["dropped_before"] = dropped
            self._outbox.add(payload, jpeg)
            self._changed.notify_all()

    def lost(self) -> int:
        """How many events were not published; those that wait are lost when it is closed."""
        with self._changed:
            waiting = len(self._outbox) + self._event_under_way if self._closing else 0
            return self._lost + self._outbox.dropped + waiting

    def close(self, timeout: float = 3.0) -> None:
        """Publish what waits, say ``offline``, and disconnect; without a connection, what waits is lost.

        Args:
            timeout: Seconds that this may take.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._problem is not None, timeout)
            self._closing = True
            self._changed.notify_all()
        self._publisher.join(max(0.0, deadline - time.monotonic()))
        self._client.disconnect()
        # In a thread, as it waits for a broker that hangs.
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(max(0.0, deadline - time.monotonic()))

    def _make_client(self, ca_file: str | os.PathLike[str] | None) -> Client:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise PackageNotInstalled(
                f"MQTT needs the package paho-mqtt 2, which cannot be imported ({error}); install it:"
                ' pip install "maskcheck[mqtt]"',
                package="paho-mqtt",
            ) from error
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"maskcheck-{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}",
        )
        if self.address.user is not None:
            client.username_pw_set(self.address.user, self.address.password)
        if self.address.tls:
            client.tls_set(None if ca_file is None else os.fspath(ca_file))
        client.will_set(f"{self.address.prefix}/available", "offline", qos=1, retain=True)
        client.reconnect_delay_set(*_RECONNECT_AFTER)
        client.connect_timeout = _CONNECT_TIMEOUT
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    # Called by the client's own thread.

    def _on_connect(self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            login = "without a user" if self.address.user is None else f"for the user {self.address.user!r}"
            self._have_problem(f"the broker refuses the connection {login}: {reason}")
            return
        with self._changed:
            self._connected, self._problem = True, None
            self._outbox.start_anew()
            self._changed.notify_all()
        LOGGER.info("%s: connected", self.name)

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        error = sys.exc_info()[1]  # which the client is handling
        self._have_problem(f"the broker cannot be reached: {error}")

    def _on_disconnect(self, _client: Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            closing = self._closing
            self._changed.notify_all()
        if was_connected and not closing:
            self._have_problem(f"the connection is lost: {reason}")

    def _on_publish(self, _client: Client, _data: object, message: int, _reason: object, _properties: object) -> None:
        with self._changed:
            self._acknowledged.add(message)
            self._changed.notify_all()

    def _have_problem(self, problem: str) -> None:
        with self._changed:
            is_new = problem != self._problem
            self._problem = problem
            self._changed.notify_all()
        if is_new:
            LOGGER.warning("%s: %s; trying again", self.name, problem)

    # The thread that publishes, one message after the other, so that they stay in order over all that happens.

    def _publish_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or (self._connected and not self._outbox.is_empty))
                if not self._connected:  # closing
                    return
                message = self._outbox.next()
                self._event_under_way = message is not None and message.event
            self._publish(message or self._outbox.availability("offline"))
            if message is None:  # closing
                return

    def _publish(self, message: MQTTMessage) -> None:
        """Publish a message, and wait until the broker has it: the client sends it again after a disconnect."""
        info = self._client.publish(message.topic, message.payload, qos=self._qos, retain=message.retain)

        def is_lost() -> bool:
            return not self._connected and (self._qos == 0 or self._closing)

        with self._changed:
            self._changed.wait_for(lambda: info.mid in self._acknowledged or is_lost())
            if info.mid not in self._acknowledged and self._event_under_way:
                self._lost += 1
            self._acknowledged.clear()
            self._event_under_way = False
