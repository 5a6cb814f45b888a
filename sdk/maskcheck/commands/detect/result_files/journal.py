"""The journal of a run: results as lines of JSON, of which each whole line counts, whatever ended the run.

A line goes to the system before the next picture: it outlives the end of the process, also by SIGKILL, but not a power
cut, for which each line would have to wait for the disk. What a power cut leaves at the end is cut off as well.

A line ends the work on its picture. A video has a line for each frame, with a time; it is done once a line of another
source follows, or one that says why it broke off, or once the run has ended and its receipt does not call the video
unfinished. The lines of a video that is not done are cut off, and it is worked on anew.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from maskcheck.commands.detect.result_files.done_sources import DoneSources
from maskcheck.errors import MaskCheckError
from maskcheck.results import FrameResult


def journal_line(result: FrameResult) -> bytes:
    """The line of a result."""
    return json.dumps(result.to_dict(), allow_nan=False).encode("ascii") + b"\n"


def read_journal(path: Path, end: int | None = None) -> Iterator[dict[str, Any]]:
    """The results in a journal, as :meth:`FrameResult.to_dict` gave them.

    Args:
        path: The file.
        end: Where they end, in bytes; by default, the end of the file.
    """
    with path.open("rb") as file:
        for _, line in _parsed(file, path, end):
            yield line


@dataclass
class EarlierRun:
    """What the journal of an earlier run holds.

    Attributes:
        whole: Bytes of it that count: without a line that was cut, and lines of a video that is not done.
        lines: Results in these.
        done: Sources that are done.
        failed: Sources of which something failed, if they are to be tried again; their lines do not count.
    """

    whole: int = 0
    lines: int = 0
    done: DoneSources = field(default_factory=DoneSources)
    failed: set[str] = field(default_factory=set)

    def add(self, name: str) -> None:
        """A source is done, unless it is to be tried again."""
        if name not in self.failed:
            self.done.add(name)


def examine_journal(path: Path, *, live: Collection[str], all_finished: bool, retry_failed: bool) -> EarlierRun:
    """Find out what an earlier run has done.

    Args:
        path: Its journal.
        live: Names of live sources, which are never done; their lines stay.
        all_finished: Whether no video at its end is unfinished.
        retry_failed: Whether sources are tried again of which something failed.

    Raises:
        MaskCheckError: A line in the middle is none of ours.
        OSError: It cannot be read.
    """
    found = EarlierRun()
    if retry_failed:
        found.failed = {_source(line) for line in read_journal(path) if line.get("error")}
    video: str | None = None  # whose lines these are, as long as it may be unfinished
    video_start, lines_before = 0, 0
    with path.open("rb") as file:
        for start, line in _parsed(file, path, None):
            name = _source(line)
            is_frame = line.get("time") is not None and name not in live
            if video is not None and (name != video or not is_frame):
                if name != video:  # otherwise this line says why it ended, and counts for it
                    found.add(video)
                video = None
            if is_frame and video is None:
                video, video_start, lines_before = name, start, found.lines
            if not is_frame and name not in live:
                found.add(name)
            found.lines += name not in found.failed
            found.whole = file.tell()
    if video is not None and all_finished:
        found.add(video)
    elif video is not None:
        found.whole, found.lines = video_start, lines_before
    return found


def copy_without(source: Path, end: int, failed: Collection[str], target: IO[bytes]) -> int:
    """Copy the results that do not come from certain sources.

    Args:
        source: The journal that is copied.
        end: Where its results end, in bytes.
        failed: Names of these sources.
        target: Where the lines go.

    Returns:
        Bytes that were written.
    """
    written = 0
    with source.open("rb") as file:
        while file.tell() < end:
            line = file.readline()
            if not failed or _source(json.loads(line)) not in failed:
                written += target.write(line)
    return written


def _parsed(file: IO[bytes], path: Path, end: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The whole lines of a file: where each starts, and its content; while one is used, the file is at its end."""
    number, broken, start = 0, 0, 0
    while (end is None or start < end) and (line := file.readline()):
        number += 1
        content = _content(line)
        if content is None:
            broken = broken or number
        elif broken:
            raise MaskCheckError(f"{path}: line {broken} is no result, and others follow; mend or remove it")
        else:
            yield start, content
        start += len(line)


def _content(line: bytes) -> dict[str, Any] | None:
    """The result in a line; None if it was cut, or is something else."""
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "schema" in content else None


def _source(line: dict[str, Any]) -> str:
    return line.get("source") or ""
