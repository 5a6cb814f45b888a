"""The benchmark against drawn videos reports what the pipeline finds in them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("scipy")

from maskcheck import MaskPipeline
from maskcheck.events import EVENT_KINDS, Event
from maskcheck_bench.commands import main
from maskcheck_bench.video_truth.drawn_video import DrawnVideo
from maskcheck_bench.video_truth.measuring import measure_events, measure_label_changes, measure_switches


def test_a_box_belongs_to_the_person_whose_face_it_shows() -> None:
    video = DrawnVideo("steady", seconds=0.2, fps=10, size=(320, 180))
    frames = list(video)

    assert [frame.index for frame in frames] == [0, 1]
    for face in video.frames[1][1]:
        x1, y1, x2, y2 = face.box
        assert video.person_at(1, (x1 + 2, y1, x2 + 2, y2 + 1)) == face.track
    assert video.person_at(1, (0, 0, 30, 20)) is None


class TruthfulPipeline(MaskPipeline):
    """Reports what happened in a drawn video; but one event too late, and one that never was."""

    def watch(self, source: Any, **_options: Any) -> Generator[Event, None, None]:
        assert isinstance(source, DrawnVideo)
        list(source)
        (late, *others) = source.events()
        kinds = {"entered": "person_entered", "left": "person_left"}
        reports = [late._replace(time=late.time + 0.8), *others, others[-1]]
        for kind, person, time in reports:
            index = min(round(time * source.scene.fps), len(source.frames) - 1)
            box = next(face.box for face in source.frames[index][1] if face.track == person)
            own = {"entered": 0.0, "seconds": 1.0} if kind == "left" else {"previous": "?"} if "mask" in kind else {}
            made = EVENT_KINDS[kinds.get(kind, kind)]
            yield made("video", time, index, person + 1, "with_mask", 1.0, box, **own)


def test_an_event_counts_once_and_only_at_its_time() -> None:
    report = measure_events(TruthfulPipeline(), [2], detect_every=1)

    true = report["true"]
    assert report["reported"] == true + 1
    assert report["recall"] == pytest.approx((true - 1) / true)
    assert report["precision"] == pytest.approx((true - 1) / (true + 1))
    assert [("missed" in each, each.get("missed", each.get("reported"))) for each in report["wrong"]] == [
        (False, "person_entered"),
        (False, "person_left"),
        (True, "entered"),
    ]
    assert report["largest_error_s"] < 0.1


def test_switches_and_label_changes_are_counted() -> None:
    with MaskPipeline(threads=1) as pipeline:
        switches = measure_switches(pipeline, "gap", [0], fps=5, detect_every=1, seconds=2)
        labels = measure_label_changes(pipeline, seed=0, seconds=1, fps=5, detect_every=1)

    assert switches == {"scene": "gap", "fps": 5, "switches": 0, "videos_with_switches": 0}
    assert labels["tracked_a_minute"] == 0 <= labels["frame_wise_a_minute"]


def test_the_command_names_what_it_takes() -> None:
    outcome = CliRunner().invoke(main, ["video-truth", "--seeds", "0"])

    assert outcome.exit_code == 2
    assert "--seeds" in outcome.output
