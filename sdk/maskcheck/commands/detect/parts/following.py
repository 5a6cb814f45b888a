"""What the parts of a run share in which people are followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskcheck.commands.detect.copies.video_files import VideoFiles
from maskcheck.commands.detect.outputs import Outputs
from maskcheck.commands.detect.parts.run_events import RunEvents
from maskcheck.commands.detect.settings import RunSettings
from maskcheck.pipeline import MaskPipeline
from maskcheck.sources import Source


class FollowingPart:
    """A part of the run that follows people.

    Args:
        pipeline: It is warmed up.
        sources: What the part works on.
        files: Where the files of each go; empty for nowhere.
        outputs: What all sources of the run share.
        settings: What the run is asked to do.
        events: Where events go; None for nowhere.
    """

    def __init__(
        self,
        pipeline: MaskPipeline,
        sources: Sequence[Source],
        files: Mapping[Source, VideoFiles],
        outputs: Outputs,
        settings: RunSettings,
        events: RunEvents | None,
    ) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._files = files
        self._outputs = outputs
        self._settings = settings
        self._events = events
