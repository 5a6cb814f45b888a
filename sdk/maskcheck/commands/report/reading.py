"""Reads the lines of a run's results, and keeps what the page shows: the faces of which the model is least sure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any

from maskcheck.privacy import Blur, must_blur
from maskcheck.texts import shortened

MOST_ERRORS = 1000
"""Most errors that are kept with their reason."""

_REASON_LENGTH = 500  # characters

Box = tuple[int, int, int, int]


@dataclass(slots=True)
class ShownFace:
    """A face for the page: of a picture, or the best one of a track with the same label.

    Attributes:
        source: Path or address of the picture or video.
        frame: Its number in the source, from 0.
        time: Seconds from the start of the source; None for a picture.
        size: Width and height of the upright picture in pixels.
        box: ``x1, y1, x2, y2`` in pixels.
        label: Its label.
        confidence: Probability of the label.
        probabilities: Of each label.
        score: How sure the detector is that it is a face; None if it does not say.
        track: Number of its track; None without one.
        to_blur: Boxes of all faces of the picture that must be blurred.
        first: Seconds, when the track first had this label.
        last: Seconds, when it last had it.
        frames: In how many frames.
        quality: How well the face shows, to choose one of a track.
    """

    source: str
    frame: int
    time: float | None
    size: tuple[int, int]
    box: Box
    label: str
    confidence: float
    probabilities: dict[str, float]
    score: float | None
    track: int | None
    to_blur: tuple[Box, ...]
    first: float | None
    last: float | None
    frames: int = 1
    quality: float = 0.0


@dataclass
class ReadError:
    """Why a picture, or a frame of a video, could not be read."""

    source: str
    time: float | None
    reason: str


@dataclass
class Results:
    """What the lines of a run say.

    Attributes:
        pictures: Pictures that were searched.
        frames: Frames of videos and streams that were searched.
        failed: Pictures and frames that could not be read.
        tracks: Tracks, that is people in videos.
        labels: How many faces have each label; of a track, one for each label that it had.
        errors: The first of what failed.
        bad_lines: Lines that are no results.
        faces: The faces to show, the least sure first.
    """

    pictures: int = 0
    frames: int = 0
    failed: int = 0
    tracks: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    errors: list[ReadError] = field(default_factory=list)
    bad_lines: int = 0
    faces: list[ShownFace] = field(default_factory=list)


def read_results(lines: Iterable[bytes], *, most: int, blur: Blur | None) -> Results:
    """Read the lines of the schema ``maskcheck/1``. Memory is bounded by `most`, however many lines there are.

    Args:
        lines: One for each picture or frame. One that is something else, as after a crash, is counted.
        most: How many faces to keep: those whose label is least sure.
        blur: Which faces will be blurred; None for none.
    """
    results = Results()
    kept = _LeastSure(most)
    tracks = _Tracks(kept, most)
    for line in lines:
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            source, error = str(content["source"] or ""), content["error"]
            time = None if content.get("time") is None else _finite(content["time"])
            faces = [] if error else [_face(content, face, source, time) for face in content["faces"]]
            reason = f"{error['message']}" if error else ""
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            results.bad_lines += 1
            continue
        if error:
            results.failed += 1
            if len(results.errors) < MOST_ERRORS:
                results.errors.append(ReadError(source, time, shortened(reason, _REASON_LENGTH)))
            continue
        if time is None:
            results.pictures += 1
        else:
            results.frames += 1
        if blur is not None:
            to_blur = tuple(face.box for face in faces if must_blur(face.label, face.confidence, blur))
            for face in faces:
                face.to_blur = to_blur
        for face in faces:
            if face.track is None:
                results.labels[face.label] += 1
                kept.add(face)
            elif tracks.add(face):
                results.labels[face.label] += 1
    tracks.close()
    results.tracks = tracks.count
    results.faces = kept.sorted()
    return results


def _face(content: Mapping[str, Any], face: Mapping[str, Any], source: str, time: float | None) -> ShownFace:
    x1, y1, x2, y2 = (math.floor(edge) for edge in face["box"])
    confidence, score = float(face["confidence"]), face["detection_score"]
    score = None if score is None else _finite(score)
    if not (0 <= confidence <= 1 and x1 <= x2 and y1 <= y2):
        raise ValueError("out of range")
    track = face.get("track_id")
    # A face that a tracker predicted may not be where its box is.
    quality = -1.0 if face.get("predicted") else (1.0 if score is None else score) * math.sqrt((x2 - x1) * (y2 - y1))
    return ShownFace(
        source=source,
        frame=int(content["frame"]),
        time=time,
        size=(int(content["width"]), int(content["height"])),
        box=(x1, y1, x2, y2),
        label=str(face["label"]),
        confidence=confidence,
        probabilities={str(label): _finite(share) for label, share in face["probabilities"].items()},
        score=score,
        track=None if track is None else int(track),
        to_blur=(),
        first=time,
        last=time,
        quality=quality,
    )


def _finite(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


class _LeastSure:
    """The faces with the least confidence."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, int, ShownFace]] = []  # the surest first; of equals, the latest
        self._count = 0

    def add(self, face: ShownFace) -> None:
        """Keep a face, if it is among them."""
        self._count += 1
        entry = (-face.confidence, -self._count, face)
        if len(self._heap) < self._most:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def sorted(self) -> list[ShownFace]:
        """They, the least sure first."""
        return [face for _, _, face in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


class _Tracks:
    """The best face of each track and label. Of tracks that ended long ago, the faces are passed on."""

    def __init__(self, kept: _LeastSure, most: int) -> None:
        self._kept = kept
        self._most = max(2 * most, 1000)
        self._best: dict[tuple[str, int, str], ShownFace] = {}  # in the order in which they were last seen
        self._numbers: dict[str, set[int]] = {}  # of each source

    def add(self, face: ShownFace) -> bool:
        """Add a face of a track; whether it is the first one with this label."""
        assert face.track is not None
        self._numbers.setdefault(face.source, set()).add(face.track)
        key = (face.source, face.track, face.label)
        best = self._best.pop(key, None)
        if best is not None:
            face.first, face.frames = best.first, best.frames + 1
            if best.quality >= face.quality:
                best.last, best.frames = face.last, face.frames
                face = best
        self._best[key] = face
        if len(self._best) > self._most:
            for old in list(self._best)[: self._most // 2]:
                self._kept.add(self._best.pop(old))
        return best is None

    @property
    def count(self) -> int:
        """How many tracks there are."""
        return sum(map(len, self._numbers.values()))

    def close(self) -> None:
        """Pass on the faces of all tracks."""
        for face in self._best.values():
            self._kept.add(face)
        self._best.clear()
