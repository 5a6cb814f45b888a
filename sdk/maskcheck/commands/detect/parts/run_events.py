"""The events of a run: they are watched for in each video and camera, and delivered to files, folders and brokers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from maskcheck.commands.detect.result_files.replaceable import EVENTS_BEGIN, check_replaceable
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.events import BlurHook, CropFolderSink, Delivery, Event, JSONLinesSink, Sink, SinkReport, Watcher
from maskcheck.pictures.decoding import BGRImage
from maskcheck.privacy import Blur, blur_faces, must_blur
from maskcheck.results import Face
from maskcheck.sources import Source

if TYPE_CHECKING:
    from maskcheck.events.mqtt import MQTTSink

CROPS = "events"
"""Name of the folder of crops in the output folder."""


def check_events_file(file: Path, sources: Iterable[Source], others: Iterable[Path]) -> None:
    """Check that the file of ``--events`` may be written: it is new, or holds the events of an earlier run.

    Args:
        file: The file.
        sources: All that is read; none of them is overwritten.
        others: Files that the run writes as well.

    Raises:
        click.UsageError: It may not be written.
    """
    advice = "--events takes the file to write events to"
    if os.path.realpath(file) in map(os.path.realpath, others):
        raise click.UsageError(f"{file} is a file of results, but {advice}")
    check_replaceable(file, EVENTS_BEGIN, "events", advice, sources, refuse_link=False)


class RunEvents:
    """Delivers the events of a run.

    Args:
        settings: What the run is asked to do.
        standard_output: The stream for events of ``--events -``.
        crop_folder: The folder for crops of events; None for none.

    Attributes:
        takes_crops: Whether results must hold their pictures, to cut crops out of them.

    Raises:
        OSError: A file cannot be made.
    """

    def __init__(self, settings: RunSettings, standard_output: IO[str] | None, crop_folder: Path | None) -> None:
        self._settings = settings
        sinks: list[Sink] = []
        self._broker: MQTTSink | None = None
        if settings.events == "-" and standard_output is not None:
            sinks.append(JSONLinesSink(standard_output))
        elif settings.events is not None:
            sinks.append(JSONLinesSink(settings.events, append=settings.resume))
        if settings.mqtt is not None:
            from maskcheck.events.mqtt import MQTTSink

            zones, lines = [zone.name for zone in settings.zones], [line.name for line in settings.lines]
            discovery = "homeassistant" if settings.home_assistant else None
            self._broker = MQTTSink(settings.mqtt, zones=zones, lines=lines, discovery=discovery)
            sinks.append(self._broker)
        self.takes_crops = crop_folder is not None and settings.images
        if crop_folder is not None and self.takes_crops:
            sinks.append(CropFolderSink(crop_folder, blur=_blur_hook(settings.blur)))
        self._delivery = Delivery(sinks)

    def watcher(self, source: str) -> Watcher:
        """What watches one video or camera.

        Args:
            source: Its name in results.
        """
        if self._broker is not None:
            self._broker.add_source(source)
        return Watcher(zones=self._settings.zones, lines=self._settings.lines)

    def send(self, events: Iterable[Event]) -> None:
        """Deliver events; never waits."""
        for event in events:
            self._delivery.send(event)

    def close(self) -> Sequence[SinkReport]:
        """Deliver what is left, within a few seconds."""
        broker = self._broker
        problem = None if broker is None else broker.problem
        return [
            replace(report, error=problem)
            if broker is not None and report.sink == broker.name and report.dropped and report.error is None
            else report
            for report in self._delivery.close()
        ]


def _blur_hook(blur: Blur | None) -> BlurHook | None:
    if blur is None:
        return None

    def hide(crop: BGRImage, faces: Sequence[Face]) -> BGRImage:
        if blur == "all":  # somebody whom the detector missed may stand beside the face
            return blur_faces(crop, [(0, 0, crop.shape[1], crop.shape[0])])
        return blur_faces(crop, [face.box for face in faces if must_blur(face.label, face.confidence, blur)])

    return hide
