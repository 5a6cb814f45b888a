"""``VideoSummary``: who was seen in a video, when, and with which label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from maskcheck.recording.people import People
from maskcheck.recording.timeline import Timeline
from maskcheck.results import UNSURE, FrameResult
from maskcheck.sources.reader import VideoInfo

SUMMARY_SCHEMA = "maskcheck-summary/1"

# In a longer gap than one of these, as of a camera that is cut, nobody is seen.
_LONGEST_PICTURE = 1.0  # seconds
_GAP = 4  # times the usual time between frames
_REMEMBERED = 16  # frames, about, whose mean is the usual time
_MOST_ERRORS = 20


class VideoSummary:
    """Sums up the results of a video or a stream, one by one, in bounded memory.

    People are the tracks. Without a tracker, faces are counted in each frame, and nothing is known of people.

    Args:
        source: The video, as it is shown.
        info: What the video says of itself.
        min_confidence: A face with less confidence counts as ``unsure``.
        settings: What the results were made with: JSON-ready values, taken over as they are.
        max_tracks: Tracks that are listed one by one, the latest; others are only counted.

    Attributes:
        info: What the video says of itself; it may be set later, as a live source says nothing before its first frame.
    """

    def __init__(
        self,
        source: str | None = None,
        info: VideoInfo | None = None,
        *,
        min_confidence: float = 0.0,
        settings: Mapping[str, Any] | None = None,
        max_tracks: int = 10_000,
    ) -> None:
        self._source = source
        self.info = info
        self._min_confidence = min_confidence
        self._settings = dict(settings or {})
        self._people = People(max_tracks)
        self._timeline = Timeline()
        self._frames = self._failed = self._faces_without_track = 0
        self._faces: Counter[str] = Counter()
        self._busiest: dict[str, Any] | None = None
        self._first_errors: list[dict[str, Any]] = []
        self._first: float | None = None
        self._known_until = 0.0
        self._last = 0.0
        self._last_seen: list[tuple[int, str]] = []
        self._last_counts: Counter[str] = Counter()
        self._picture_time = 1 / ((info and info.frame_rate) or 25)  # a mean in which the latest frames count most

    def add(self, result: FrameResult) -> None:
        """Add the result of the next frame."""
        time = self._time(result)
        if result.error is not None:
            self._failed += 1
            if len(self._first_errors) < _MOST_ERRORS:
                error = {"type": type(result.error).__name__, "message": str(result.error)}
                self._first_errors.append({"frame": result.frame, "time": round(time, 6), **error})
            return
        self._see(time)
        self._frames += 1
        seen: list[tuple[int, str]] = []
        counts: Counter[str] = Counter()
        for face in result:
            label = UNSURE if face.confidence < self._min_confidence else face.label
            counts[label] += 1
            if face.track_id is None:
                self._faces_without_track += 1
            else:
                self._people.see(face.track_id, time, label, face.confidence)
                seen.append((face.track_id, label))
        self._faces.update(counts)
        if counts.total() > (self._busiest or {"people": 0})["people"]:
            by_label = dict(sorted(counts.items()))
            self._busiest = {
                "time": round(time, 6),
                "frame": result.frame,
                "people": counts.total(),
                "by_label": by_label,
            }
        self._last_seen, self._last_counts = seen, counts

    def to_dict(self, *, complete: bool = True) -> dict[str, Any]:
        """As JSON-ready values in the schema ``maskcheck-summary/1``. More results may be added afterwards.

        Args:
            complete: Whether the source was read to its end.
        """
        finished = deepcopy(self)  # to which the time of the last frame is added, and here it is not
        if finished._first is not None:
            finished._pass_time(finished._last + finished._picture_time)
        return finished._to_dict(complete)

    def _to_dict(self, complete: bool) -> dict[str, Any]:
        return {
            "schema": SUMMARY_SCHEMA,
            "source": self._source,
            "complete": complete,
            "video": None if self.info is None else _video(self.info),
            "frames": self._frames,
            "first_time": None if self._first is None else round(self._first, 6),
            "last_time": None if self._first is None else round(self._last, 6),
            "people": None if self._faces_without_track else self._people.count(),
            "faces": {"total": self._faces.total(), "by_label": dict(sorted(self._faces.items()))},
            "busiest": self._busiest,
            "tracks": self._people.to_list(),
            "tracks_left_out": self._people.left_out,
            "timeline": self._timeline.to_dict(),
            "errors": {"count": self._failed, "first": list(self._first_errors)},
            "settings": dict(self._settings),
        }

    def _time(self, result: FrameResult) -> float:
        if result.time is not None:
            return float(result.time)
        return result.frame / ((self.info and self.info.frame_rate) or 25)

    def _see(self, time: float) -> None:
        """Go on to a frame: until then, all was as in the last one."""
        if self._first is None:
            self._first = self._known_until = self._last = time
            return
        passed = max(0.0, time - self._last)
        if self._frames == 1:
            self._picture_time = passed
        longest = max(_LONGEST_PICTURE, _GAP * self._picture_time)
        self._pass_time(min(time, self._last + longest))
        self._picture_time += (min(passed, longest) - self._picture_time) / _REMEMBERED
        self._last = max(self._last, time)
        self._known_until = max(self._known_until, self._last)

    def _pass_time(self, until: float) -> None:
        seconds = until - self._known_until
        if seconds >= 0:
            self._people.pass_time(self._last_seen, seconds)
            self._timeline.add(self._known_until, seconds, self._last_counts)
            self._known_until = until


def _video(info: VideoInfo) -> dict[str, Any]:
    return {
        "width": info.size[0],
        "height": info.size[1],
        "rotation": info.rotation,
        "frame_rate": None if info.frame_rate is None else round(info.frame_rate, 6),
        "frame_count": info.frame_count,
        "duration": None if info.duration is None else round(info.duration, 6),
        "codec": info.codec,
        "has_audio": info.has_audio,
    }
