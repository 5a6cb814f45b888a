"""Scenes of faces whose identities are known: boxes, as a detector with misses and jitter would give them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""``x1, y1, x2, y2`` in pixels: (N, 4)."""


@dataclass(frozen=True)
class SceneFrame:
    """A frame: what is there, and what the detector finds of it."""

    time: float
    true_ids: NDArray[np.int64]
    true_boxes: Boxes
    boxes: Boxes
    scores: NDArray[np.float32]


Scene = list[SceneFrame]


def crossings(random: np.random.Generator, rate: float = 25.0) -> Scene:
    """Six faces that walk to and fro across the picture, at heights so close that they pass each other."""
    return _frames(random, rate, 12.0, _walkers(random, 6, (1280, 720), (40, 70), 150))


def gaps(random: np.random.Generator) -> Scene:
    """Six faces that walk; each is hidden for ten frames at three moments."""
    hidden = random.uniform(1, 10, (6, 3))
    return _frames(
        random,
        25.0,
        12.0,
        _walkers(random, 6, (1280, 720), (40, 70), 500),
        seen=lambda time: np.all((time < hidden) | (time >= hidden + 0.4), axis=1),
    )


def slow_frames(random: np.random.Generator) -> Scene:
    """The crossings at 5 frames a second."""
    return crossings(random, 5.0)


def visits(random: np.random.Generator) -> Scene:
    """Ten people who enter and leave at times of their own."""
    start = random.uniform(0, 8, 10)
    end = start + random.uniform(2, 6, 10)
    return _frames(
        random,
        25.0,
        12.0,
        _walkers(random, 10, (1280, 720), (40, 70), 500),
        present=lambda time: (time >= start) & (time < end),
    )


def pan(random: np.random.Generator) -> Scene:
    """Six faces, and a camera that turns to and fro by up to 300 pixels a second."""
    walk = _walkers(random, 6, (1280, 720), (40, 70), 500)
    return _frames(random, 25.0, 12.0, lambda time: walk(time) + 120 * np.sin(2.5 * time) * np.array([1, 0, 1, 0]))


def crowd(random: np.random.Generator) -> Scene:
    """Twenty-five faces of 1080p."""
    return _frames(random, 25.0, 12.0, _walkers(random, 25, (1920, 1080), (40, 80), 900))


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "crossings": crossings,
    "10-frame gaps": gaps,
    "5 frames/s": slow_frames,
    "enter and leave": visits,
    "camera pan": pan,
    "25 faces, 1080p": crowd,
}


def _walkers(
    random: np.random.Generator, count: int, size: tuple[int, int], sides: tuple[int, int], height: int
) -> Callable[[float], Boxes]:
    """Faces that walk to and fro, sway, and differ in height by up to `height` pixels: their boxes at a time."""
    side = random.uniform(*sides, count)
    middle_x, reach = random.uniform(0.35, 0.65, count) * size[0], random.uniform(0.15, 0.3, count) * size[0]
    turn, phase = random.uniform(0.3, 0.8, count), random.uniform(0, 2 * np.pi, (2, count))
    middle_y = size[1] / 2 + random.uniform(-0.5, 0.5, count) * height

    def boxes(time: float) -> Boxes:
        x = middle_x + reach * np.sin(turn * time + phase[0])
        y = middle_y + 6 * np.sin(3 * time + phase[1])
        return np.stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2], axis=1)

    return boxes


def _frames(
    random: np.random.Generator,
    rate: float,
    seconds: float,
    walk: Callable[[float], Boxes],
    *,
    present: Callable[[float], NDArray[np.bool_]] | None = None,
    seen: Callable[[float], NDArray[np.bool_]] | None = None,
) -> Scene:
    """Every face is missed in a tenth of the frames; its edges are off by 5 % of its side (standard deviation)."""
    frames = []
    for index in range(int(seconds * rate)):
        time = index / rate
        boxes = walk(time)
        there = np.ones(len(boxes), bool) if present is None else present(time)
        found = there & (random.random(len(boxes)) >= 0.1)
        if seen is not None:
            found &= seen(time)
        side = boxes[:, 2:3] - boxes[:, :1]
        noisy = (boxes + random.normal(0, 0.05, boxes.shape) * side)[found]
        order = random.permutation(len(noisy))
        scores = random.uniform(0.6, 1.0, len(noisy)).astype(np.float32)
        frames.append(SceneFrame(time, np.flatnonzero(there), boxes[there], noisy[order], scores))
    return frames
