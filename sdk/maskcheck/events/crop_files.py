"""Crops of events as JPEG, in memory or in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from maskcheck.events.delivery import Sink
from maskcheck.events.event import Event
from maskcheck.events.source_names import short_name
from maskcheck.pictures.decoding import BGRImage
from maskcheck.results import Face

BlurHook: TypeAlias = Callable[[BGRImage, Sequence[Face]], BGRImage]
"""Blurs faces in a crop: gets the crop and the faces in it, boxes in its pixels, and gives a picture of that size."""

_JPEG_QUALITY = 90


def crop_as_jpeg(event: Event, blur: BlurHook | None = None) -> bytes | None:
    """The crop of an event as JPEG; None if it has none.

    Args:
        event: The event.
        blur: Called before anything is encoded. The person's own face is given twice, with the label that it had in the
            crop and with that of the event: it may be shown only if both allow it.
    """
    image = event.crop
    if image is None:
        return None
    if blur is not None:
        faces = event.crop_faces
        as_now = [replace(faces[0], label=event.label, confidence=event.confidence)] if faces else []
        image = blur(image.copy(), [*as_now, *faces])
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


class CropFolderSink(Sink):
    """Writes the crop of each event as a JPEG file: ``SOURCE_TRACK_TIME_EVENT.jpg``. Events without one are passed by.

    Args:
        folder: Created if it is missing.
        blur: Blurs faces before they are written.

    Raises:
        OSError: The folder cannot be created.
    """

    takes_crops = True

    def __init__(self, folder: str | os.PathLike[str], *, blur: BlurHook | None = None) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._blur = blur
        self.name = os.fsdecode(folder)

    def send(self, event: Event, *, dropped: int) -> None:  # noqa: ARG002
        """Write the file; it appears under its name when it is whole."""
        data = crop_as_jpeg(event, self._blur)
        if data is None:
            return
        when = f"{event.time:010.3f}s" if event.clock is None else f"{event.clock:%Y%m%dT%H%M%S%f}"
        name = f"{short_name(event.source)}_{event.track_id}_{when}_{event.kind}.jpg"
        part = self._folder / f".{name}.part"
        try:
            part.write_bytes(data)
            part.replace(self._folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise
