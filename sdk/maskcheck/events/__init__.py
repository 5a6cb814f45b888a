"""Events: who enters and leaves, and when a mask comes off; zones, lines, and the ways events are delivered.

Data flow from left to right::

    FrameResult with tracks --Watcher--> Event --Delivery--> sinks, each in a thread of its own

==============================  ===================================================================
module beside this one          holds
==============================  ===================================================================
:mod:`.event`                   ``Event`` and its kinds
:mod:`.watcher`                 ``Watcher``: events from results
:mod:`.settings`                ``WatchSettings``: when a change is an event
:mod:`.visit`                   one person's stay in view
:mod:`.debouncing`              a value that changes only when another one holds for a time
:mod:`.zones`                   ``Zone`` and ``Line``
:mod:`.line_crossing`           whether a person crosses a line
:mod:`.best_crop`               the best picture of a face so far
:mod:`.drawing`                 ``draw_places``: zones and lines with their counts, on a frame
:mod:`.delivery`                ``Delivery``: bounded queues in front of slow consumers; ``Sink``
:mod:`.json_lines_sink`         lines of JSON, in a file or on a stream
:mod:`.crop_files`              ``CropFolderSink``: the best crops, as JPEG files
:mod:`.mqtt`                    ``MQTTSink``: events and counts to an MQTT broker; needs paho-mqtt
:mod:`.mqtt_address`            ``MQTTAddress``: where a broker is, without showing the password
:mod:`.mqtt_messages`           the payloads of events, in Frigate's shape, and counts
:mod:`.mqtt_outbox`             what is to be published next
:mod:`.home_assistant`          messages that make each count a sensor in Home Assistant
:mod:`.geometry_arguments`      zones and lines as they are written on a command line
:mod:`.source_names`            short names of sources, for file names and topics
==============================  ===================================================================
"""

from maskcheck.events.crop_files import BlurHook, CropFolderSink
from maskcheck.events.delivery import CallableSink, Delivery, Sink, SinkReport
from maskcheck.events.event import (
    EVENT_KINDS,
    EVENT_SCHEMA,
    Event,
    LineCrossed,
    MaskPutOn,
    MaskRemoved,
    PersonEntered,
    PersonLeft,
    ZoneEntered,
    ZoneLeft,
)
from maskcheck.events.json_lines_sink import JSONLinesSink
from maskcheck.events.settings import WatchSettings
from maskcheck.events.watcher import Watcher
from maskcheck.events.zones import Line, Zone

__all__ = [
    "EVENT_KINDS",
    "EVENT_SCHEMA",
    "BlurHook",
    "CallableSink",
    "CropFolderSink",
    "Delivery",
    "Event",
    "JSONLinesSink",
    "Line",
    "LineCrossed",
    "MaskPutOn",
    "MaskRemoved",
    "PersonEntered",
    "PersonLeft",
    "Sink",
    "SinkReport",
    "WatchSettings",
    "Watcher",
    "Zone",
    "ZoneEntered",
    "ZoneLeft",
]
