"""The files that are written of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maskcheck.commands.detect.copies.output_names import OutputNames
from maskcheck.sources import Source

_WRITABLE = (".mp4", ".m4v", ".mov", ".mkv")  # as maskcheck.recording.VIDEO_SUFFIXES, which loads much


@dataclass(frozen=True)
class VideoFiles:
    """The files that are written of a video.

    Attributes:
        folder: The output folder.
        video: The annotated copy; None for none.
        summary: The summary, JSON.
        chart: The chart of people over time, PNG.
        names: Gives files of the run their names.
    """

    folder: Path
    video: Path | None
    summary: Path
    chart: Path
    names: OutputNames

    def take_another_video(self, suffix: str) -> Path:
        """Take a name for the copy with another ending, for a container that takes the sound; nothing is refused."""
        assert self.video is not None
        return self.names.take_another(self.video.relative_to(self.folder).with_suffix(suffix))

    @classmethod
    def take(cls, names: OutputNames, source: Source, *, images: bool) -> VideoFiles:
        """Take their names in the output folder.

        Raises:
            click.UsageError: A file would be overwritten that no earlier run wrote.
        """
        name = source.name
        writable = name.suffix.lower() in _WRITABLE
        video = names.take(name if writable else name.with_name(name.name + ".mp4"))
        # The number that tells two videos of one name apart is that of all their files.
        shown = video.name if writable else video.name.removesuffix(".mp4")
        beside = video.relative_to(names.folder)
        return cls(
            names.folder,
            video if images else None,
            names.take(beside.with_name(f"{shown}.summary.json")),
            names.take(beside.with_name(f"{shown}.chart.png")),
            names,
        )
