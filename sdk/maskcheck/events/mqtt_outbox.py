"""What is to be published on MQTT next: events that wait for a connection, and the counts of now."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from maskcheck.events.home_assistant import discovery_message
from maskcheck.events.mqtt_messages import Count, as_json


class MQTTMessage(NamedTuple):
    """A message to publish.

    Attributes:
        topic: Its topic.
        payload: Its content.
        retain: Whether the broker keeps it for those who subscribe later.
        event: Whether its loss is the loss of an event.
    """

    topic: str
    payload: bytes
    retain: bool = False
    event: bool = False


class MQTTOutbox:
    """Events that wait, and what the broker knows of the counts. It is not for several threads at once.

    Args:
        prefix: First levels of all topics.
        counts: The value of each count now; it is read whenever a message is asked for.
        discovery: First levels of Home Assistant's topics; None for no messages to it.
        capacity: Most events that wait; beyond it, the oldest are dropped.

    Attributes:
        dropped: How many events were dropped so far.
    """

    def __init__(self, prefix: str, counts: dict[Count, int], *, discovery: str | None, capacity: int) -> None:
        self.dropped = 0
        self._prefix, self._discovery, self._capacity = prefix, discovery, capacity
        self._counts = counts
        self._events: deque[dict[str, Any]] = deque()
        self._snapshots: dict[str, bytes] = {}  # the last one of each topic
        self._unreported = 0  # dropped messages that no message has reported yet
        self._greeted = False
        self._known: dict[Count, int] = {}
        self._discovered: set[Count] = set()

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._events)

    @property
    def is_empty(self) -> bool:
        """Whether the broker knows all."""
        return self._greeted and not self._events and not self._snapshots and self._known == self._counts

    def add(self, payload: dict[str, Any], snapshot: bytes | None) -> None:
        """Add an event, with the JPEG file of its person if there is one."""
        if len(self._events) >= self._capacity:
            self._unreported += 1 + self._events.popleft().get("dropped_before", 0)
            self.dropped += 1
        self._events.append(payload)
        if snapshot is not None:
            self._snapshots[f"{payload['after']['camera']}/person/snapshot"] = snapshot

    def start_anew(self) -> None:
        """There is a new connection: say ``online`` and all counts again, as the broker may have lost its memory."""
        self._greeted = False
        self._known.clear()
        self._discovered.clear()

    def next(self) -> MQTTMessage | None:
        """The next message, which is then taken as published; None if there is none."""
        if not self._greeted:
            self._greeted = True
            return self.availability("online")
        if self._events:
            payload = self._events.popleft()
            if self._unreported:
                payload["dropped_before"] = self._unreported + payload.get("dropped_before", 0)
                self._unreported = 0
            return MQTTMessage(f"{self._prefix}/events", as_json(payload), event=True)
        if self._snapshots:
            topic, jpeg = self._snapshots.popitem()
            return MQTTMessage(f"{self._prefix}/{topic}", jpeg, retain=True)
        for count, value in self._counts.items():
            if self._discovery is not None and count not in self._discovered:
                self._discovered.add(count)
                topic, payload = discovery_message(count, self._prefix, self._discovery)
                return MQTTMessage(topic, as_json(payload), retain=True)
            if self._known.get(count) != value:
                self._known[count] = value
                return MQTTMessage(f"{self._prefix}/{count.camera}/{count.key}", b"%d" % value, retain=True)
        return None

    def availability(self, word: str) -> MQTTMessage:
        """The message that says ``online`` or ``offline``."""
        return MQTTMessage(f"{self._prefix}/available", word.encode("ascii"), retain=True)
