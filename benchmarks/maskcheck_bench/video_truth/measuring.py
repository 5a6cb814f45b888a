"""Events, identity switches and label changes of the pipeline, on drawn videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from maskcheck import FrameResult, MaskPipeline
from maskcheck.events import Event, PersonLeft
from maskcheck_bench.video_truth.drawn_video import DrawnVideo

TOLERANCE = 0.5  # seconds between an event and the truth
NOISE = 20.0  # of the video of steady faces, in grey levels
_KINDS = {"person_entered": "entered", "person_left": "left"}


def measure_events(pipeline: MaskPipeline, seeds: Sequence[int], *, detect_every: int) -> dict[str, Any]:
    """Precision and recall of the events in the scene `masks`; kind, person and time (within TOLERANCE) must agree."""
    found = true = reported = 0
    wrong: list[dict[str, Any]] = []
    delays: list[float] = []
    for seed in seeds:
        video = DrawnVideo("masks", seed=seed)
        events = [
            event
            for event in pipeline.watch(video, detect_every=detect_every, crops=False)
            if not (isinstance(event, PersonLeft) and event.source_ended)
        ]
        missed = video.events()
        true += len(missed)
        reported += len(events)
        for event in sorted(events, key=lambda event: event.time):
            match = next((each for each in missed if _agree(event, each, video)), None)
            if match is None:
                wrong.append({"seed": seed, "reported": event.kind, "time": event.time, "track": event.track_id})
            else:
                missed.remove(match)
                found += 1
                delays.append(event.time - match.time)
        wrong += [{"seed": seed, "missed": each.kind, "time": each.time, "person": each.track} for each in missed]
    return {
        "true": true,
        "reported": reported,
        "precision": found / max(reported, 1),
        "recall": found / max(true, 1),
        "largest_error_s": max(map(abs, delays), default=None),
        "wrong": wrong,
    }


def _agree(event: Event, true: Any, video: DrawnVideo) -> bool:
    return (
        _KINDS.get(event.kind, event.kind) == true.kind
        and abs(event.time - true.time) <= TOLERANCE
        and video.person_at(event.frame, event.box) in (true.track, None)  # a face at the edge overlaps little
    )


def measure_switches(
    pipeline: MaskPipeline,
    scene: str,
    seeds: Sequence[int],
    *,
    fps: float,
    detect_every: int,
    seconds: float | None = None,
) -> dict[str, Any]:
    """How often a person gets another track number, in all, and in how many of the videos."""
    switches = []
    for seed in seeds:
        video = DrawnVideo(scene, seed=seed, fps=fps, seconds=seconds)
        numbers: dict[int, int] = {}
        count = 0
        for result in pipeline.track(video, detect_every=detect_every):
            for face in result:
                person = None if face.track_id is None else video.person_at(result.frame, face.box)
                if person is None or face.track_id is None or face.predicted:
                    continue
                count += numbers.get(person, face.track_id) != face.track_id
                numbers[person] = face.track_id
        switches.append(count)
    return {"scene": scene, "fps": fps, "switches": sum(switches), "videos_with_switches": sum(map(bool, switches))}


def measure_label_changes(
    pipeline: MaskPipeline, *, seed: int, seconds: float, fps: float, detect_every: int
) -> dict[str, Any]:
    """Changes of the label a minute, of all four people together, in the noisy scene `steady`."""
    options = {"seed": seed, "seconds": seconds, "fps": fps, "noise": NOISE}
    video = DrawnVideo("steady", **options)
    tracked = _changes(video, pipeline.track(video, detect_every=detect_every))
    video = DrawnVideo("steady", **options)
    single = _changes(video, pipeline.stream(video))
    return {
        "noise": NOISE,
        "fps": fps,
        "tracked_a_minute": tracked * 60 / seconds,
        "frame_wise_a_minute": single * 60 / seconds,
    }


def _changes(video: DrawnVideo, results: Iterable[FrameResult]) -> int:
    labels: dict[int, str] = {}
    changes = 0
    for result in results:
        for face in result:
            person = video.person_at(result.frame, face.box)
            if person is not None:
                changes += labels.get(person, face.label) != face.label
                labels[person] = face.label
    return changes
