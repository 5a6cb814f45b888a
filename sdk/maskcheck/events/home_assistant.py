"""Discovery messages of Home Assistant: each count becomes a sensor there by itself."""

from __future__ import annotations

import hashlib
from typing import Any

from maskcheck._version import __version__
from maskcheck.events.mqtt_messages import Count


def discovery_message(count: Count, prefix: str, discovery: str) -> tuple[str, dict[str, Any]]:
    """Topic and payload that make a count a sensor.

    Args:
        count: The count.
        prefix: First levels of the topics of maskcheck.
        discovery: First levels of Home Assistant's own topics, ``homeassistant`` by default.
    """
    device, sensor = _identifier(f"{prefix}/{count.camera}"), _identifier(count.key)
    payload: dict[str, Any] = {
        "name": count.title,
        "unique_id": f"{device}_{sensor}",
        "state_topic": f"{prefix}/{count.camera}/{count.key}",
        "state_class": "total_increasing" if count.grows else "measurement",
        "unit_of_measurement": "people",
        "icon": "mdi:counter" if count.grows else "mdi:account-group",
        "availability_topic": f"{prefix}/available",
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {
            "identifiers": [device],
            "name": f"maskcheck {count.camera}",
            "manufacturer": "maskcheck",
            "sw_version": __version__,
        },
        "origin": {"name": "maskcheck", "sw_version": __version__},
    }
    return f"{discovery}/sensor/{device}/{sensor}/config", payload


def _identifier(text: str) -> str:
    """Home Assistant allows letters of ASCII, digits, ``_`` and ``-``; a digest tells apart what that makes equal."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "-") else "_" for letter in text)
    if plain == text.replace("/", "_"):
        return plain
    return f"{plain}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
