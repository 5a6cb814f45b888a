"""What a run of ``maskcheck detect`` is asked to do, beside the settings of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskcheck.events.mqtt_address import MQTTAddress
    from maskcheck.events.zones import Line, Zone
    from maskcheck.privacy import Blur


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked to do.

    Attributes:
        min_confidence: Faces with less confidence are unsure.
        fail_on: Labels that make the run fail.
        images: Whether annotated pictures and videos are written.
        blur: Which faces are blurred in all that is written; None for none.
        every: Of a video, every so many frames are read.
        start: Seconds into a video at which reading begins; None for its start.
        end: Seconds into a video at which reading ends; None for its end.
        detect_every: Of the frames that are read, every so many go to the detector; a tracker predicts the others.
        show: Whether a window shows the frames.
        events: The file for events, or ``-``; None for none.
        mqtt: Address of an MQTT broker for events; None for none.
        home_assistant: Whether messages make each count on that broker a sensor in Home Assistant.
        zones: Areas of the picture; events say who enters and leaves them.
        lines: Lines in the picture; events say who crosses them.
        reconnect: Whether a live source that is lost is connected again.
        read_timeout: Seconds without a frame after which a live source counts as lost.
        resume: Whether the results of a run that was killed are continued.
        retry_failed: Whether what failed in that run is tried again.
        workers: Processes that work on pictures; 0 for threads of this process.
    """

    min_confidence: float = 0.0
    fail_on: tuple[str, ...] = ()
    images: bool = True
    blur: Blur | None = None
    every: int = 1
    start: float | None = None
    end: float | None = None
    detect_every: int = 1
    show: bool = False
    events: str | None = None
    mqtt: MQTTAddress | None = None
    home_assistant: bool = False
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    reconnect: bool = True
    read_timeout: float = 10.0
    resume: bool = False
    retry_failed: bool = False
    workers: int = 0

    def for_videos_only(self) -> list[str]:
        """The options that are given, as on the command line, and have a meaning for videos and cameras alone."""
        given = {
            "--every": self.every != 1,
            "--start": self.start is not None,
            "--end": self.end is not None,
            "--detect-every": self.detect_every != 1,
            "--show": self.show,
            "--events": self.events is not None,
            "--mqtt": self.mqtt is not None,
            "--zone": bool(self.zones),
            "--line": bool(self.lines),
        }
        return [name for name, is_given in given.items() if is_given]

    def shaping_results(self) -> dict[str, Any]:
        """Those that change what the results are, as JSON-ready values: a run with others cannot be continued."""
        return {
            "blur": self.blur,
            "images": self.images,
            "every": self.every,
            "start": self.start,
            "end": self.end,
            "detect_every": self.detect_every,
        }
