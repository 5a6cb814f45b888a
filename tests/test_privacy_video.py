"""No face of the truth shows in any frame of a test video, though the detector misses many.

The criterion is hard: every pixel of every true face box that lies in the frame is blurred, from the first frame in
which a part of the face shows to the last one. What is blurred is seen by blurring noise: each pixel that changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from make_video import RenderedFrame, TrueFace, make_scene, render
from maskcheck.privacy import Blur, BlurPlan, DelayedBlur, blur_faces
from maskcheck.results import Face, FrameResult
from maskcheck.tracking.result_tracker import ResultTracker

SIZE = (320, 180)
NOISE = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)

Frames = list[RenderedFrame]


@pytest.fixture(scope="module", params=["masks", "crossing", "gap"])
def frames(request: pytest.FixtureRequest) -> Frames:
    """People who enter at the edges, change masks, cross, and are hidden for ten frames."""
    return list(render(make_scene(request.param, seed=1, size=SIZE, noise=0)))


def found(frames: Frames, *, seed: int = 0, every: int = 1) -> Iterator[FrameResult]:
    """What a poor detector finds, and the tracker makes of it.

    It misses a fifth of the faces, all faces in ten frames in the middle, and those of which less than half shows; its
    boxes are off by a few pixels.
    """
    dice = np.random.default_rng(seed)
    hole = range(len(frames) // 2, len(frames) // 2 + 10)
    tracker = ResultTracker()
    for index, frame in enumerate(frames):
        if index % every:
            yield tracker.predict(FrameResult((), SIZE, source="video", frame=index, time=frame.time))
            continue
        faces = [
            face_of(truth, dice.normal(0, 0.03 * (truth.box[3] - truth.box[1]), 4))
            for truth in frame.faces
            if index not in hole and truth.visible >= 0.5 and dice.random() > 0.2
        ]
        yield tracker.update(FrameResult(tuple(faces), SIZE, source="video", frame=index, time=frame.time))


def face_of(truth: TrueFace, shift: NDArray[np.float64], confidence: float = 0.95) -> Face:
    x1, y1, x2, y2 = np.add(truth.box, shift)
    box = (max(x1, 0.0), max(y1, 0.0), min(x2, SIZE[0]), min(y2, SIZE[1]))
    other = "without_mask" if truth.label == "with_mask" else "with_mask"
    return Face(box, truth.label, confidence, {truth.label: confidence, other: 1 - confidence}, 0.9)


def shown(truth: TrueFace, blurred: NDArray[np.bool_]) -> float:
    """The share of a face's pixels in the frame that are not blurred."""
    x1, y1, x2, y2 = (round(edge) for edge in truth.box)
    area = blurred[max(y1, 0) : y2, max(x1, 0) : x2]
    return 0.0 if truth.visible == 0 or not area.size else 1 - float(area.mean())


def where_blurred(boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    return np.asarray((blur_faces(NOISE, boxes) != NOISE).any(axis=2))


@pytest.mark.parametrize("every", [1, 3], ids=["each frame searched", "every third frame searched"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_plan_blurs_every_face_of_a_video_that_is_read_twice(frames: Frames, every: int, seed: int) -> None:
    plan = BlurPlan("all")
    for result in found(frames, seed=seed, every=every):
        plan.add(result)

    blurred = [where_blurred(plan.boxes(index)) for index in range(len(frames))]

    leaks = [
        (index, face.track, face.visible)
        for index, frame in enumerate(frames)
        for face in frame.faces
        if shown(face, blurred[index]) > 0.001
    ]
    assert leaks == []
    assert np.mean(blurred) < 0.4, "much more than the faces is blurred"


def test_faces_would_show_without_the_plan(frames: Frames) -> None:
    leaks = 0
    for frame, result in zip(frames, found(frames), strict=True):
        blurred = where_blurred([face.box for face in result])
        leaks += sum(shown(face, blurred) > 0.5 for face in frame.faces)

    assert leaks > 100


@pytest.mark.parametrize("blur", ["without_mask", "with_mask"])
def test_whoever_changes_the_mask_is_blurred_in_time(frames: Frames, blur: Blur) -> None:
    plan = BlurPlan(blur)
    for result in found(frames):
        plan.add(result)

    clear = 0
    for index, frame in enumerate(frames):
        blurred = where_blurred(plan.boxes(index))
        for truth in frame.faces:
            if truth.label == blur:
                assert shown(truth, blurred) < 0.001, (index, truth)
            else:
                clear += shown(truth, blurred) > 0.9

    assert clear > 50, "people with the other label stay as they are"


def test_a_stream_blurs_every_face_that_is_found_within_the_delay(frames: Frames) -> None:
    blurring = DelayedBlur("all", delay=0.8)
    results = [replace(result, image=NOISE) for result in found(frames)]
    done = [blurred for result in results for blurred in blurring.add(result)]
    at_once = len(done)
    done += blurring.finish()

    assert [result.frame for result in done] == list(range(len(frames)))
    assert at_once == len(frames) - 20  # 0.8 s
    assert blurring.hurried == 0
    for result, frame in zip(done, frames, strict=True):
        assert result.image is not None
        blurred = np.asarray((result.image != NOISE).any(axis=2))
        assert [face for face in frame.faces if shown(face, blurred) > 0.001] == []
