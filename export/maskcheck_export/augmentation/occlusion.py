"""Hides part of a face: behind a hand, a phone, a pole, hair or another person."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_REACH = 0.32
"""How far an object reaches into the crop from its edge, as a share of its side; mouth and nose are further inside."""
_SKIN = ((241, 206, 182), (198, 142, 108), (120, 78, 54))  # RGB, from light to dark


def occlude(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """Hide a part of a crop, at most about a quarter, behind an object that reaches in from an edge.

    No object lies across mouth and nose, and none is copied from inside the crop: both would look like a mask.

    Args:
        crop: uint8 (S, S, 3), RGB; not changed.
        rng: Source of all randomness.

    Returns:
        uint8 (S, S, 3), RGB.
    """
    size = crop.shape[0]
    shape = (_head, _head, _hand, _phone, _pole, _hair)[rng.integers(6)]
    cover = np.zeros((size, size), np.uint8)
    shape(cover, rng)
    soft = cv2.GaussianBlur(cover, (0, 0), size * rng.uniform(0.003, 0.02) + 0.3).astype(np.float32)[..., None] / 255
    colour = _skin(rng) if shape is _hand else _dark(rng) if shape is _hair else _surface(crop, rng)
    shade = cv2.resize(rng.normal(0, 14, (4, 4)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((size, size), np.float32) * np.float32(rng.uniform(0, 6))
    surface = colour.astype(np.float32) + (shade + grain)[..., None]
    return np.clip(crop + (surface - crop) * soft, 0, 255).astype(np.uint8)


def _skin(rng: Generator) -> NDArray[np.float64]:
    return np.asarray(_SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.6, 1.05, 1))


def _dark(rng: Generator) -> NDArray[np.float64]:
    """The colour of dark hair."""
    return np.asarray(np.array((1.0, 0.8, 0.65)) * rng.uniform(15, 90))


def _surface(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.float64]:
    """A colour from the edge of the crop, or any colour."""
    if rng.random() < 0.6:
        return np.asarray(crop[rng.choice([0, -1]), rng.integers(crop.shape[1])].astype(np.float64))
    return rng.uniform(10, 245, 1) * rng.uniform(0.7, 1.2, 3)


def _edge(size: int, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A point on the left, right or lower edge, and the direction inwards."""
    along = rng.uniform(0.1, 0.9) * size
    places = (((0, along), (1, 0)), ((size, along), (-1, 0)), ((along, size), (0, -1)))
    place, inwards = places[rng.integers(3)]
    return np.array(place, np.float64), np.array(inwards, np.float64)


def _head(cover: NDArray[np.uint8], rng: Generator) -> None:
    """A head or a shoulder."""
    size = len(cover)
    place, _ = _edge(size, rng)
    axes = rng.uniform(0.12, _REACH, 2) * size
    cv2.ellipse(cover, (place.tolist(), (2 * axes).tolist(), rng.uniform(0, 180)), 255, -1, cv2.LINE_AA)


def _hand(cover: NDArray[np.uint8], rng: Generator) -> None:
    """A palm at the edge, with fingers that point inwards."""
    size = len(cover)
    place, inwards = _edge(size, rng)
    finger = rng.uniform(0.035, 0.055) * size
    sideways = inwards[::-1]
    direction = inwards + rng.uniform(-0.4, 0.4) * sideways
    cv2.circle(cover, _pixel(place), round(2.4 * finger), 255, -1, cv2.LINE_AA)
    for position in (-1.5, -0.5, 0.5, 1.5):
        start = place + position * 1.4 * finger * sideways
        end = start + rng.uniform(0.75, 1.0) * (_REACH - 0.03) * size * direction
        cv2.line(cover, _pixel(start), _pixel(end), 255, max(round(finger), 1), cv2.LINE_AA)


def _phone(cover: NDArray[np.uint8], rng: Generator) -> None:
    """A phone, a book or a sign: a rectangle."""
    size = len(cover)
    place, _ = _edge(size, rng)
    sides = rng.uniform(0.2, 1.2 * _REACH, 2) * size
    corners = cv2.boxPoints((place.tolist(), sides.tolist(), rng.uniform(0, 90)))
    cv2.fillConvexPoly(cover, np.round(corners).astype(np.int32), 255, cv2.LINE_AA)


def _pole(cover: NDArray[np.uint8], rng: Generator) -> None:
    """A pole, a rail or a cable: upright, because a bar across the mouth would look like a mask."""
    size = len(cover)
    top, bottom = rng.uniform(0, 1) * size + np.array([0.0, rng.uniform(-0.25, 0.25) * size])
    thickness = max(round(rng.uniform(0.02, 0.1) * size), 1)
    cv2.line(cover, (round(top), 0), (round(bottom), size), 255, thickness, cv2.LINE_AA)


def _hair(cover: NDArray[np.uint8], rng: Generator) -> None:
    """Strands from above, beside the middle of the face."""
    size = len(cover)
    side = rng.choice([0.0, 1.0])
    for position in rng.uniform(0.05, 0.35, rng.integers(4, 12)):
        start, end = np.abs(side - position - np.array([0.0, rng.uniform(-0.05, 0.08)])) * size
        height = rng.uniform(0.3, 1.0) * size
        thickness = max(round(rng.uniform(0.005, 0.02) * size), 1)
        cv2.line(cover, (round(start), 0), (round(end), round(height)), 255, thickness, cv2.LINE_AA)


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(point[0]), round(point[1])
