"""Events against the truth of test videos, seen by a detector that misses faces and a classifier that errs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from make_video import TrueEvent, TrueFace, make_scene, render, true_events
from maskcheck import Face, FrameResult
from maskcheck.events import Event, PersonLeft, Watcher

SEEDS = range(6)
END = 12.0  # seconds
TOLERANCE = 0.5  # seconds
KINDS = {
    "person_entered": "entered",
    "person_left": "left",
    "mask_removed": "mask_removed",
    "mask_put_on": "mask_put_on",
}
IN_SIGHT = 0.5  # the share of a face that a detector needs to see


@cache
def filmed(seed: int) -> tuple[list[tuple[float, list[TrueFace]]], list[TrueEvent]]:
    scene = make_scene("masks", seed=seed, fps=25, seconds=END, size=(160, 90))
    frames = [(frame.time, frame.faces) for frame in render(scene)]
    return frames, true_events(scene, frames)


def seen(seed: int, step: int, *, missed: float, wrong: float) -> Iterator[FrameResult]:
    """Results of every so many frames: with the tracks of the truth, boxes with noise, labels that err at random."""
    dice = np.random.default_rng(seed)
    frames, _ = filmed(seed)
    for number, (time, true_faces) in list(enumerate(frames))[::step]:
        faces = []
        for true in true_faces:
            if true.visible < IN_SIGHT or dice.random() < missed:
                continue
            x1, y1, x2, y2 = (float(edge) for edge in np.array(true.box) + dice.normal(0, 1, 4))
            share = float(np.clip(dice.normal(0.93, 0.05), 0.5, 1.0))
            share = 1 - share if dice.random() < wrong else share
            shares = {"with_mask": share, "without_mask": 1 - share}
            if true.label != "with_mask":
                shares = {"with_mask": 1 - share, "without_mask": share}
            label = max(shares, key=lambda name: shares[name])
            faces.append(Face((x1, y1, x2, y2), label, shares[label], shares, 0.9, track_id=true.track))
        yield FrameResult(tuple(faces), (160, 90), source="masks.mp4", frame=number, time=time)


def matched(events: list[Event], truth: list[TrueEvent]) -> int:
    """How many events are true ones, of the same kind and person, within the tolerance; each true one counts once."""
    left = list(truth)
    count = 0
    for event in events:
        fitting = [
            true
            for true in left
            if (true.kind, true.track) == (KINDS[event.kind], event.track_id)
            and abs(true.time - event.time) <= TOLERANCE
        ]
        if fitting:
            left.remove(min(fitting, key=lambda true: abs(true.time - event.time)))
            count += 1
    return count


@pytest.mark.parametrize(
    ("step", "missed", "wrong"),
    [(1, 0.1, 0.03), (3, 0.1, 0.03), (5, 0.02, 0.01)],
    ids=["25 frames/s", "8 frames/s", "5 frames/s"],
)
def test_events_are_those_of_the_truth(step: int, missed: float, wrong: float) -> None:
    true, told, expected = 0, 0, 0
    for seed in SEEDS:
        watcher = Watcher()
        events = [event for result in seen(seed, step, missed=missed, wrong=wrong) for event in watcher.update(result)]
        events += watcher.finish()
        # Whether somebody left who was not seen in the very last frames, nobody can tell.
        events = [event for event in events if not isinstance(event, PersonLeft) or event.time < END - TOLERANCE]
        truth = [event for event in filmed(seed)[1] if event.kind != "left" or event.time < END - TOLERANCE]
        true, told, expected = true + matched(events, truth), told + len(events), expected + len(truth)

    assert expected > 40
    assert true / told >= 0.97
    assert true / expected >= 0.97
