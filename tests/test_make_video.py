"""The script that makes test videos: what it draws is what its truth says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from make_video import SCENES, Person, Place, Scene, make_scene, read_truth, render, true_events, write

EXAMPLES = Path(__file__).parents[1] / "examples"


def scene_of(*people: Person, seconds: float = 1.0, fps: float = 10.0) -> Scene:
    return Scene(people, width=160, height=90, seconds=seconds, fps=fps)


def person(*path: Place, track: int = 0, **options: object) -> Person:
    return replace(Person(track, "astronaut", "white", path), **options)  # type: ignore[arg-type]


STANDING = (Place(0.0, 0.5, 0.5, 0.5), Place(9.0, 0.5, 0.5, 0.5))


def decoded(video: Path) -> list[tuple[float, NDArray[np.uint8], int]]:
    """Time, BGR as stored, and rotation of each frame."""
    with av.open(str(video)) as container:
        frames = []
        for frame in container.decode(video=0):
            assert frame.time is not None
            frames.append((frame.time, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), frame.rotation))
    return frames


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_gives_the_same_pixels_and_another_one_others(name: str) -> None:
    size = (320, 180)
    scenes = [make_scene(name, seed=seed, seconds=0.2, fps=10, size=size, noise=2, flicker=0.1) for seed in (3, 3, 4)]

    first, again, other = (list(render(scene)) for scene in scenes)

    assert [frame.image.shape for frame in first] == [(180, 320, 3)] * 2
    assert all(np.array_equal(one.image, two.image) for one, two in zip(first, again, strict=True))
    assert [frame.faces for frame in first] == [frame.faces for frame in again]
    assert not np.array_equal(first[0].image, other[0].image)


def test_a_person_changes_the_picture_only_where_they_stand() -> None:
    (empty,) = render(scene_of(seconds=0.1))
    (frame,) = render(scene_of(person(Place(0.0, 0.25, 0.5, 0.3), Place(1.0, 0.25, 0.5, 0.3)), seconds=0.1))

    (face,) = frame.faces
    x1, y1, x2, y2 = map(round, face.box)
    changed = (frame.image != empty.image).any(axis=2)
    assert changed[y1:y2, x1:x2].mean() > 0.95
    assert not changed[:, 90:].any()
    assert ((x1 + x2) / 2, (y1 + y2) / 2, y2 - y1) == pytest.approx((40, 45, 27), abs=1)
    assert face.visible == 1
    assert empty.faces == []


def test_the_label_follows_the_mask_and_the_picture_with_it() -> None:
    scene = scene_of(person(*STANDING, mask_changes=(0.35, 0.75)))

    frames = list(render(scene))

    labels = [frame.faces[0].label for frame in frames]
    assert labels == ["without_mask"] * 4 + ["with_mask"] * 4 + ["without_mask"] * 2
    assert np.array_equal(frames[0].image, frames[9].image)
    x1, _, x2, y2 = map(round, frames[0].faces[0].box)
    mouth = (slice(y2 - 14, y2 - 6), slice((x1 + x2) // 2 - 4, (x1 + x2) // 2 + 4))
    assert frames[5].image[mouth].mean() > frames[0].image[mouth].mean() + 20  # the mask is white


def test_a_face_behind_somebody_or_a_newspaper_or_outside_is_less_visible() -> None:
    behind = person(*STANDING)
    before = person(*STANDING, track=1)
    half_out = person(Place(0.0, 0.0, 0.5, 0.3), Place(9.0, 0.0, 0.5, 0.3), track=2)
    reader = person(Place(0.0, 0.85, 0.5, 0.2), Place(9.0, 0.85, 0.5, 0.2), track=3, hidden=((0.0, 0.1),))

    first, second = render(scene_of(behind, before, half_out, reader, seconds=0.2))

    shares = {face.track: face.visible for face in first.faces}
    assert shares[0] < 0.1
    assert shares[1] == 1
    assert shares[2] == pytest.approx(0.5, abs=0.1)
    assert shares[3] == 0
    assert {face.track: face.visible for face in second.faces}[3] == 1  # the newspaper is down


def test_events_are_what_could_be_seen() -> None:
    crosses = (
        Place(0.0, -0.3, 0.5, 0.3),
        Place(0.5, 0.5, 0.5, 0.3),
        Place(1.5, 0.5, 0.5, 0.3),
        Place(2, -0.3, 0.5, 0.3),
    )
    stays = (Place(0.0, 0.8, 0.5, 0.2), Place(9.0, 0.8, 0.5, 0.2))
    scene = scene_of(
        person(*crosses, track=1, wears_mask=True, mask_changes=(0.05, 0.7, 1.0, 1.9)),
        person(*stays, track=2),
        seconds=2.5,
        fps=20,
    )

    events = true_events(scene, ((frame.time, frame.faces) for frame in render(scene)))

    # The changes of the mask at 0.05 and 1.9 happen outside the frame.
    assert [(event.kind, event.track) for event in events] == [
        ("entered", 2),
        ("entered", 1),
        ("mask_put_on", 1),
        ("mask_removed", 1),
        ("left", 1),
    ]
    assert [event.time for event in events] == pytest.approx([0, 0.2, 0.7, 1.0, 1.8], abs=0.06)


def test_a_gap_hides_a_face_for_ten_frames() -> None:
    scene = make_scene("gap", seconds=4, size=(160, 90), noise=0)

    hidden: dict[int, list[int]] = {}
    for index, frame in enumerate(render(scene)):
        for face in frame.faces:
            if face.visible < 0.1:
                hidden.setdefault(face.track, []).append(index)

    assert sorted(hidden) == [0, 1, 2]
    for frames in hidden.values():
        assert frames == list(range(frames[0], frames[0] + 10))


@pytest.mark.parametrize("seed", range(8))
def test_masks_change_in_sight_and_never_behind_somebody(seed: int) -> None:
    scene = make_scene("masks", seed=seed, fps=10, size=(160, 90), noise=0)
    frames = [(frame.time, frame.faces) for frame in render(scene)]

    events = true_events(scene, frames)

    assert [event.kind for event in events if event.kind in ("entered", "left")].count("entered") == 3
    assert [event.kind for event in events].count("left") == 3
    changes = sum(len(person.mask_changes) for person in scene.people)
    assert sum(event.kind.startswith("mask") for event in events) == changes
    # A face is hidden only by the edge of the frame.
    for _, faces in frames:
        for face in faces:
            inside = min(face.box[2], 160) - max(face.box[0], 0)
            assert face.visible >= inside / (face.box[2] - face.box[0]) - 0.1


def test_a_written_video_has_the_frames_times_and_sound_that_the_truth_says(tmp_path: Path) -> None:
    scene = make_scene("demo", seconds=1, size=(320, 180))
    video = tmp_path / "video.mp4"

    truth = write(scene, video, audio=True)

    frames = decoded(video)
    assert [time for time, _, _ in frames] == pytest.approx([index / 25 for index in range(25)])
    for (_, image, _), rendered in zip(frames, render(scene), strict=True):
        assert np.abs(image.astype(int) - rendered.image).mean() < 6
    assert json.loads((tmp_path / "video.truth.json").read_text()) == truth
    times_and_faces, events = read_truth(video)
    assert [time for time, _ in times_and_faces] == [index / 25 for index in range(25)]
    assert times_and_faces[0][1][0].label == "with_mask"
    assert [event.kind for event in events] == ["entered"]
    with av.open(str(video)) as container:
        (sound,) = container.streams.audio
        samples = sum(frame.samples for frame in container.decode(sound))
    assert samples / 48_000 == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_frames_of_a_variable_rate_keep_their_times(tmp_path: Path, ending: str) -> None:
    scene = make_scene("demo", seconds=1, size=(160, 90), variable_rate=True)
    video = tmp_path / f"video.{ending}"

    write(scene, video)

    times = [time for time, _, _ in decoded(video)]
    distances = np.diff(times)
    assert times == pytest.approx(scene.frame_times(), abs=0.0011)
    assert distances.max() > 1.5 * distances.min() > 0


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_video_is_shown_upright(tmp_path: Path, rotation: int) -> None:
    scene = make_scene("demo", seconds=0.2, size=(160, 90))
    video = tmp_path / "video.mp4"

    write(scene, video, rotation=rotation, quality=10)

    for (_, stored, turn), frame in zip(decoded(video), render(scene), strict=True):
        assert stored.shape[:2] == ((90, 160) if rotation == 180 else (160, 90))
        shown = np.rot90(stored, turn // 90)
        assert np.abs(shown.astype(int) - frame.image).mean() < 8


@pytest.mark.parametrize(("codec", "ending"), [("mpeg4", "avi"), ("mjpeg", "mkv"), ("libx264", "ts")])
def test_other_codecs_and_files_and_odd_sizes_can_be_written(tmp_path: Path, codec: str, ending: str) -> None:
    video = tmp_path / f"video.{ending}"
    size = (161, 91) if codec == "libx264" else (160, 90)

    write(make_scene("demo", seconds=0.4, size=size), video, codec=codec)

    frames = decoded(video)
    assert len(frames) == 10
    assert frames[0][1].shape == (size[1], size[0], 3)


def test_the_command_writes_a_video_and_says_so(tmp_path: Path) -> None:
    video = tmp_path / "masks.mp4"
    command = [sys.executable, str(EXAMPLES / "make_video.py"), "masks", str(video)]

    done = subprocess.run(
        [*command, "--seconds", "1", "--fps", "5", "--size", "160x90", "--seed", "1"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "5 frames" in done.stdout
    assert len(decoded(video)) == 5
    assert len(read_truth(video)[0]) == 5


def test_an_unknown_scene_is_refused_with_the_names_of_the_others() -> None:
    with pytest.raises(ValueError, match="expected one of demo, crossing, gap, masks, steady, crowd25, got 'street'"):
        make_scene("street")
