"""What happens in a test video: people, where they walk, and when they wear a mask. Named scenes, made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

PortraitName = Literal["astronaut", "grace_hopper"]
MaskName = Literal["white", "black", "blue", "patterned"]

MASKS: dict[PortraitName, tuple[MaskName, ...]] = {
    "astronaut": ("white", "black"),
    "grace_hopper": ("blue", "patterned"),
}
FOREVER = 1e9
OUTSIDE = 0.12  # how far beyond an edge of the frame a person waits, as a share of its width


class Place(NamedTuple):
    """Where a face is at a time; between two places it moves steadily."""

    time: float  # seconds
    x: float  # of its centre, as a share of the width of the frame; outside 0..1 it is out of sight
    y: float  # of its centre, as a share of the height
    height: float  # as a share of the height


@dataclass(frozen=True)
class Person:
    """Somebody who walks through the scene. Before the first and after the last place of the path, nobody is there."""

    track: int
    portrait: PortraitName
    mask: MaskName
    path: tuple[Place, ...]
    wears_mask: bool = False  # at the start
    mask_changes: tuple[float, ...] = ()  # when the mask goes on or off, in seconds
    hidden: tuple[tuple[float, float], ...] = ()  # from, until: a newspaper covers the face
    mirrored: bool = False
    hue: int = 0  # turns the colour of the clothes, in 0..179
    sway: float = 0.0  # how far the face swings from side to side, as a share of its height

    def place(self, time: float) -> Place | None:
        """Where the face is, or None while the person is not there."""
        times = [place.time for place in self.path]
        if not times[0] <= time <= times[-1]:
            return None
        x, y, height = (float(np.interp(time, times, [place[part] for place in self.path])) for part in (1, 2, 3))
        phase = 2.4 * self.track
        x += self.sway * height * float(np.sin(1.9 * time + phase)) * 0.5
        y += self.sway * height * float(np.sin(2.7 * time + 2 * phase)) * 0.25
        return Place(time, x, y, height)

    def masked(self, time: float) -> bool:
        """Whether the mask is on."""
        return self.wears_mask ^ bool(sum(change <= time for change in self.mask_changes) % 2)

    def covers_face(self, time: float) -> bool:
        """Whether the newspaper is up."""
        # A time of a frame is often a rounded end of the interval.
        return any(start - 1e-6 <= time < end - 1e-6 for start, end in self.hidden)


@dataclass(frozen=True)
class Scene:
    """People before a wall, and the camera that films them. Those who come later in `people` stand in front."""

    people: tuple[Person, ...]
    width: int = 640  # pixels
    height: int = 360
    seconds: float = 12.0
    fps: float = 25.0  # frames a second; on average, where they vary
    seed: int = 0
    variable_rate: bool = False  # frames come up to a third of their distance early or late
    noise: float = 0.0  # standard deviation, in grey levels of 255
    flicker: float = 0.0  # how much the brightness changes, as a share
    shake: float = 0.0  # how far the camera moves, as a share of the height

    def frame_times(self) -> list[float]:
        """When the frames are taken, in seconds from the first one; whole milliseconds where the rate varies."""
        count = max(1, round(self.seconds * self.fps))
        if not self.variable_rate:
            return [index / self.fps for index in range(count)]
        shifts = np.random.default_rng([self.seed, 1]).uniform(-1 / 3, 1 / 3, count)
        shifts[0] = 0.0
        return [round(1000 * (index + shift) / self.fps) / 1000 for index, shift in enumerate(shifts)]


Dice = np.random.Generator
SceneMaker = Callable[[Dice, float, float], tuple[Person, ...]]  # dice, seconds, frames a second


def _person(track: int, path: list[Place], *, masked: bool = False, changes: tuple[float, ...] = ()) -> Person:
    """Person number `track`; every number looks different for a while."""
    portrait: PortraitName = ("astronaut", "grace_hopper")[track % 2]
    mask = MASKS[portrait][track // 2 % 2]
    return Person(
        track,
        portrait,
        mask,
        tuple(path),
        wears_mask=masked,
        mask_changes=changes,
        mirrored=bool(track // 4 % 2),
        hue=47 * (track // 2) % 180,
        sway=0.08,
    )


def _visit(
    place: tuple[float, float, float], *, enters: float, leaves: float, side: Literal["left", "right"], walk: float
) -> list[Place]:
    """In from one side within `walk` seconds, and out there again."""
    x, y, height = place
    outside = -OUTSIDE if side == "left" else 1 + OUTSIDE
    return [
        Place(enters, outside, y, height),
        Place(enters + walk, x, y, height),
        Place(leaves, x, y, height),
        Place(leaves + walk, outside, y, height),
    ]


def _demo(_dice: Dice, _seconds: float, _fps: float) -> tuple[Person, ...]:
    """Three people: a mask comes off, one goes on, and somebody walks behind the two others."""
    behind = [Place(5.0, 1 + OUTSIDE, 0.36, 0.21), Place(10.0, -OUTSIDE, 0.36, 0.21)]
    left = [Place(0.0, 0.27, 0.46, 0.29), Place(11.0, 0.3, 0.46, 0.29), Place(12.0, 0.3, 0.46, 0.29)]
    right = [
        Place(0.6, 1 + OUTSIDE, 0.5, 0.3),
        Place(2.2, 0.7, 0.5, 0.3),
        Place(10.2, 0.66, 0.5, 0.3),
        Place(11.6, 1 + OUTSIDE, 0.5, 0.3),
    ]
    return (
        replace(_person(2, behind, masked=True), hue=100, mirrored=True),
        _person(0, left, masked=True, changes=(4.0,)),
        _person(1, right, changes=(7.0,)),
    )


def _crossing(dice: Dice, seconds: float, _fps: float) -> tuple[Person, ...]:
    """Four people, two from each side, who pass in front of each other, at different speeds."""
    people = []
    for track in range(4):
        start, end = (-OUTSIDE, 1 + OUTSIDE) if track % 2 else (1 + OUTSIDE, -OUTSIDE)
        enters = dice.uniform(0, 0.06) * seconds + (track // 2) * 0.25 * seconds
        walk = dice.uniform(0.55, 0.7) * seconds
        y, height = 0.42 + 0.02 * track + dice.uniform(-0.01, 0.01), 0.21 + 0.01 * track
        path = [Place(enters, start, y, height), Place(enters + walk, end, y, height)]
        people.append(_person(track, path, masked=bool(dice.random() < 0.5)))
    return tuple(people)


def _gap(dice: Dice, seconds: float, fps: float) -> tuple[Person, ...]:
    """Three people who stroll about; a newspaper covers each face for ten frames, again and again."""
    people = []
    for track, x in enumerate((0.2, 0.5, 0.8)):
        times = np.arange(0, seconds + 2, 2.0)
        path = [
            Place(float(time), x + dice.uniform(-0.08, 0.08), 0.45 + dice.uniform(-0.03, 0.03), 0.24) for time in times
        ]
        path[-1] = path[-1]._replace(time=FOREVER)
        starts = np.arange(1.5 + dice.uniform(0, 0.6), seconds - 1.5, 2.5)
        hidden = tuple((round(start * fps) / fps, (round(start * fps) + 10) / fps) for start in starts)
        people.append(replace(_person(track, path, masked=track == 1), hidden=hidden))
    return tuple(people)


def _masks(dice: Dice, seconds: float, _fps: float) -> tuple[Person, ...]:
    """Rounds of twelve seconds: three people come in, take masks off or put them on, and go out again."""
    people: list[Person] = []
    for start in np.arange(0, max(seconds - 11.9, 0.1), 12.0):
        # Who stands in the middle comes first and goes last, so nobody walks behind anybody.
        for x, first, last in ((0.5, 0.3, 10.0), (0.2, 2.2, 8.6), (0.8, 2.2, 8.6)):
            enters, leaves = start + first + dice.uniform(0, 0.6), start + last + dice.uniform(0, 0.5)
            side: Literal["left", "right"] = "left" if x < 0.4 or (x == 0.5 and dice.random() < 0.5) else "right"
            walk = dice.uniform(0.9, 1.3) * (1.2 if x == 0.5 else 0.9)
            place = (x + dice.uniform(-0.02, 0.02), 0.45 + dice.uniform(-0.03, 0.03), dice.uniform(0.23, 0.28))
            path = _visit(place, enters=enters, leaves=leaves, side=side, walk=walk)
            change = enters + walk + dice.uniform(0.6, 1.2)
            changes = (change, change + dice.uniform(1.5, 2.2))[: dice.integers(1, 3)]
            masked = bool(dice.random() < 0.5)
            people.append(_person(len(people), path, masked=masked, changes=tuple(map(float, changes))))
    return tuple(people)


def _steady(dice: Dice, _seconds: float, _fps: float) -> tuple[Person, ...]:
    """Four people who stand and look; nothing changes but the noise."""
    people = []
    for track, x in enumerate((0.14, 0.38, 0.62, 0.86)):
        y, height = 0.45 + dice.uniform(-0.04, 0.04), dice.uniform(0.14, 0.24)
        path = [Place(0.0, x, y, height), Place(FOREVER, x, y, height)]
        people.append(_person(track, path, masked=track in (1, 2)))
    return tuple(people)


def _crowd25(dice: Dice, seconds: float, _fps: float) -> tuple[Person, ...]:
    """Twenty-five people in five rows; every third changes the mask now and then."""
    people = []
    for track in range(25):
        row, column = divmod(track, 5)
        x = 0.1 + 0.2 * column + (0.04 if row % 2 else -0.04) + dice.uniform(-0.01, 0.01)
        y, height = 0.12 + 0.18 * row, 0.075 + 0.005 * row
        step = dice.uniform(0.01, 0.02) * dice.choice([-1, 1])
        times = [*np.arange(0, seconds + 3, 3.0), FOREVER]
        path = [Place(float(time), x + step * (-1) ** index, y, height) for index, time in enumerate(times)]
        changes = tuple(np.arange(2 + dice.uniform(0, 2), seconds, 4.0)) if track % 3 == 0 else ()
        people.append(_person(track, path, masked=bool(dice.random() < 0.5), changes=tuple(map(float, changes))))
    return tuple(people)


SCENES: dict[str, tuple[SceneMaker, Scene]] = {
    "demo": (_demo, Scene(())),
    "crossing": (_crossing, Scene((), seconds=8.0, noise=3.0)),
    "gap": (_gap, Scene((), seconds=10.0, noise=3.0)),
    "masks": (_masks, Scene((), noise=3.0, flicker=0.03)),
    "steady": (_steady, Scene((), seconds=60.0, noise=10.0, flicker=0.06, shake=0.004)),
    "crowd25": (_crowd25, Scene((), width=1920, height=1080, seconds=10.0, noise=2.0)),
}


def make_scene(
    name: str,
    *,
    seed: int = 0,
    fps: float = 25.0,
    seconds: float | None = None,
    size: tuple[int, int] | None = None,
    variable_rate: bool = False,
    noise: float | None = None,
    flicker: float | None = None,
    shake: float | None = None,
) -> Scene:
    """Make a named scene. What is not given is as the scene has it.

    Args:
        name: A key of ``SCENES``.
        seed: Changes where people are, and when things happen; the same seed gives the same video.
        fps: Frames a second.
        seconds: Length.
        size: Width and height of the frames, in pixels.
        variable_rate: Frames come early or late, by up to a third of their distance.
        noise: Standard deviation, in grey levels of 255.
        flicker: How much the brightness changes, as a share.
        shake: How far the camera moves, as a share of the height; at most 0.02.

    Raises:
        ValueError: No scene of that name, or an argument out of its range.
    """
    if name not in SCENES:
        raise ValueError(f"scene: expected one of {', '.join(SCENES)}, got {name!r}")
    maker, usual = SCENES[name]
    width, height = size or (usual.width, usual.height)
    length = usual.seconds if seconds is None else seconds
    if not (fps > 0 and length > 0 and width > 0 and height > 0):
        raise ValueError(f"expected fps, seconds and size above 0, got {fps}, {length} and {width} x {height}")
    return replace(
        usual,
        people=maker(np.random.default_rng(seed), length, fps),
        width=width,
        height=height,
        seconds=length,
        fps=fps,
        seed=seed,
        variable_rate=variable_rate,
        noise=usual.noise if noise is None else noise,
        flicker=usual.flicker if flicker is None else flicker,
        shake=usual.shake if shake is None else shake,
    )
