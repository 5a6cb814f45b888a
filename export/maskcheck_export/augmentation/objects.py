"""Puts something before a face that is no mask: a hand, a phone, a cup, a microphone, a beard, a scarf, sunglasses.

A model that has seen nothing but masks before a mouth takes a hand for one. The label of the face stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.augmentation.layers import Colour, Layers, Plane
from maskcheck_export.augmentation.placement import place_face

Hidden: TypeAlias = Literal["mouth", "chin", "beside"]
"""What an object may hide: anything, also the mouth; the chin and less; neither mouth nor chin."""

Point: TypeAlias = NDArray[np.float64]

_AREA = np.array([[-0.75, -0.35], [1.75, -0.35], [-0.75, 1.75], [1.75, 1.75]])
_LIGHT = np.array([-0.5, -0.85])  # from above, a little from the left: where most light comes from


def put_before(
    pixels: BGRImage,
    face: NDArray[np.floating] | None,
    rng: Generator,
    *,
    hides: Hidden = "mouth",
    landmarks: NDArray[np.floating] | None = None,
    kind: str | None = None,
) -> BGRImage:
    """Put an object before a face, which hides a part of it and is no mask.

    Args:
        pixels: uint8 (H, W, 3), BGR; not changed.
        face: ``x1, y1, x2, y2`` in pixels, from hairline to chin and ear to ear; may reach out of the picture.
        rng: Source of all randomness.
        hides: What the object may hide: ``mouth`` for a bare face, ``chin`` for a mask over mouth and nose, ``beside``
            for a mask that is worn incorrectly, so that the label can still be seen.
        landmarks: (5, 2), the five points of :func:`~maskcheck_export.augmentation.placement.place_face`; or None.
        kind: One of ``KINDS`` instead of any.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    changed = pixels.copy()
    place = place_face(face, landmarks)
    if place is None:
        return changed
    names = [name for name, each in _OBJECTS.items() if each.hides in _ALLOWED[hides]]
    often = np.array([_OBJECTS[name].often for name in names])
    drawn = names[rng.choice(len(names), p=often / often.sum())]
    layers = Layers(changed, place, _AREA, rng)
    if layers.shape[0]:
        _OBJECTS[kind or drawn].draw(layers, rng)
        layers.paste(grain=rng.uniform(0, 5))
    return changed


# Hands


@dataclass(frozen=True)
class _Hand:
    """Where a hand is drawn.

    Attributes:
        palm: The middle of the palm, in pixels.
        direction: Where the fingers point to: a unit vector.
        size: Length of the palm, in pixels.
        bent: How much shorter the fingers look: 0 for straight fingers, 0.8 for a fist.
        spread: Angle between two fingers, in radians.
        mirrored: The thumb is on the other side.
        thumb: The thumb is seen.
    """

    palm: Point
    direction: Point
    size: float
    bent: float = 0.0
    spread: float = 0.08
    mirrored: bool = False
    thumb: bool = True


_FINGERS = ((-0.3, 0.62, 0.085), (-0.1, 0.74, 0.09), (0.1, 0.7, 0.088), (0.29, 0.55, 0.078))
"""Of each finger: where it begins beside the middle of the palm, its length and half its width, in palm lengths."""


def _draw_hand(layers: Layers, hand: _Hand, skin: Colour, rng: Generator, *, arm: bool = True) -> None:
    size, forward = hand.size, hand.direction
    side = np.array([-forward[1], forward[0]]) * (-1 if hand.mirrored else 1)
    wrist = hand.palm - 0.5 * size * forward
    if arm:
        elbow = wrist - 2.5 * size * _turned(forward, rng.uniform(-0.35, 0.35))
        _limb(layers, wrist, elbow, 0.27 * size, 0.36 * size, skin)
        if rng.random() < 0.6:
            cuff = wrist + (elbow - wrist) * rng.uniform(0.05, 0.4)
            _limb(layers, cuff, elbow, 0.34 * size, 0.45 * size, _cloth_colour(rng) * layers.light[..., None])
    _limb(layers, wrist + 0.12 * size * forward, hand.palm + 0.2 * size * forward, 0.32 * size, 0.4 * size, skin)
    order = np.argsort(rng.random(4)) if hand.bent > 0.4 else np.array([3, 0, 2, 1])
    for number in order:
        beside, length, half = _FINGERS[number]
        base = hand.palm + size * (0.36 * forward + beside * side)
        pointing = _turned(forward, (number - 1.5) * hand.spread * (-1 if hand.mirrored else 1))
        reach = length * (1 - hand.bent) * rng.uniform(0.92, 1.05) * size
        tip = base + reach * pointing
        width = half * size * rng.uniform(0.95, 1.08)
        _limb(layers, base, tip, width * 1.08, width * 0.88, skin * rng.uniform(0.95, 1.03), shadow=0.3)
        if hand.bent < 0.3 and rng.random() < 0.5:
            nail = tip - 0.15 * width * pointing
            _limb(layers, nail - 0.4 * width * pointing, nail, 0.5 * width, 0.5 * width, skin * 1.08 + 8, shadow=0.05)
    if hand.thumb:
        root = hand.palm + size * (-0.42 * side - 0.1 * forward)
        tip = root + 0.55 * size * (1 - 0.5 * hand.bent) * _unit(forward * rng.uniform(0.8, 1.3) - 0.6 * side)
        _limb(layers, root, tip, 0.13 * size, 0.095 * size, skin, shadow=0.3)


def _limb(
    layers: Layers,
    start: Point,
    end: Point,
    thick: float,
    thin: float,
    colour: NDArray[np.floating],
    *,
    shadow: float = 0.25,
) -> None:
    """A finger or an arm: a rounded rod, half of `thick` and `thin` pixels wide, that is darker at its sides."""
    reach = max(thick, thin) + 0.15 * layers.unit  # with the shadow
    first = np.clip(np.minimum(start, end) - reach, 0, layers.shape[::-1]).astype(int)
    last = np.clip(np.maximum(start, end) + reach, 0, layers.shape[::-1]).astype(int)
    window = np.s_[first[1] : last[1], first[0] : last[0]]
    x, y = (plane[window] for plane in layers.grid)
    if not x.size:
        return
    if colour.ndim == 3:
        colour = colour[window]
    along = end - start
    share = np.clip(
        ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(float(along @ along), 1e-6), 0, 1
    ).astype(np.float32)
    radius = np.float32(thick) + np.float32(thin - thick) * share
    out_x = (x - np.float32(start[0]) - share * np.float32(along[0])) / radius
    out_y = (y - np.float32(start[1]) - share * np.float32(along[1])) / radius
    distance = np.sqrt(out_x**2 + out_y**2)
    cover = np.clip((1 - distance) * radius + 0.5, 0, 1)
    inside = np.minimum(distance, 1)
    relief = 1.02 - 0.26 * inside**3 + 0.1 * (out_x * _LIGHT[0] + out_y * _LIGHT[1]) * inside
    redder = 1 + np.float32(0.1) * inside[..., None] ** 3 * np.array([-0.6, -0.3, 0.5], np.float32)
    layers.lay(cover, colour * relief[..., None] * redder, soft=0.006, shadow=shadow, window=window)


def _skin_surface(layers: Layers, rng: Generator) -> Plane:
    """The skin of a hand of the same person: of the colour of the face, mottled, and in its light."""
    tone = layers.skin * rng.uniform(0.9, 1.15) * rng.uniform(0.97, 1.03, 3)
    mottled = 1 + np.float32(0.025) * layers.noise(9) + np.float32(0.02) * layers.noise(3)
    return np.asarray(tone.astype(np.float32) * (np.sqrt(layers.shade) * mottled)[..., None])


def _side(rng: Generator) -> int:
    return int(rng.choice([-1, 1]))


def _hand_over_mouth(layers: Layers, rng: Generator) -> None:
    """Fingers across the mouth: surprise, a laugh or a yawn."""
    side = _side(rng)
    size = layers.unit * rng.uniform(0.55, 0.72)
    middle = layers.at(0.5 + rng.uniform(-0.06, 0.06), rng.uniform(0.7, 0.84))  # where the fingers lie
    angle = rng.uniform(0.1, 1.45)  # from level to upright
    direction = _in_face(layers, -side * np.cos(angle), -np.sin(angle))
    palm = middle - direction * size * rng.uniform(0.55, 0.8)
    hand = _Hand(
        palm,
        direction,
        size,
        bent=rng.uniform(0, 0.25),
        spread=rng.uniform(0.0, 0.1),
        mirrored=side < 0,
        thumb=rng.random() < 0.7,
    )
    skin = _skin_surface(layers, rng)
    if rng.random() < 0.15:  # both hands
        other = _in_face(layers, side * np.cos(angle), -np.sin(angle))
        _draw_hand(layers, _Hand(middle - other * size * 0.7, other, size, mirrored=side > 0), skin, rng)
    _draw_hand(layers, hand, skin, rng)


def _fist_at_mouth(layers: Layers, rng: Generator) -> None:
    """A cough into the fist, or a chin that rests on it."""
    side = _side(rng)
    size = layers.unit * rng.uniform(0.5, 0.66)
    direction = _in_face(layers, -side * rng.uniform(0.1, 1), -rng.uniform(0.3, 1))
    middle = layers.at(0.5 + side * rng.uniform(-0.05, 0.2), rng.uniform(0.74, 1.0))
    palm = middle - direction * size * 0.3
    hand = _Hand(palm, direction, size, bent=rng.uniform(0.55, 0.8), spread=0.0, mirrored=side < 0)
    _draw_hand(layers, hand, _skin_surface(layers, rng), rng)


def _hand_at_chin(layers: Layers, rng: Generator) -> None:
    """Thumb and fingers at the chin or below the lip: somebody thinks."""
    side = _side(rng)
    size = layers.unit * rng.uniform(0.52, 0.68)
    direction = _in_face(layers, -side * rng.uniform(0.2, 1.2), -rng.uniform(0.5, 1))
    tips = layers.at(0.5 + side * rng.uniform(-0.1, 0.1), rng.uniform(0.84, 0.95))
    palm = tips - direction * size * rng.uniform(0.75, 0.95)
    hand = _Hand(palm, direction, size, bent=rng.uniform(0.1, 0.5), spread=rng.uniform(0.0, 0.12), mirrored=side < 0)
    _draw_hand(layers, hand, _skin_surface(layers, rng), rng)


def _hand_on_cheek(layers: Layers, rng: Generator) -> None:
    side = _side(rng)
    size = layers.unit * rng.uniform(0.52, 0.68)
    direction = _in_face(layers, side * rng.uniform(-0.35, 0.25), -1)
    palm = layers.at(0.5 + side * rng.uniform(0.46, 0.58), rng.uniform(0.75, 1.0))
    hand = _Hand(palm, direction, size, bent=rng.uniform(0, 0.5), spread=rng.uniform(0.02, 0.14), mirrored=side > 0)
    _draw_hand(layers, hand, _skin_surface(layers, rng), rng)


# Things that hands hold


def _grip(layers: Layers, middle: Point, half: float, axis: Point, size: float, side: int, rng: Generator) -> None:
    """The fingers of a hand that holds a rod from the side: four across it, one above the other."""
    skin = _skin_surface(layers, rng)
    across = np.array([-axis[1], axis[0]])
    across = across if across[0] * side > 0 else -across
    knuckles = middle + across * (half + 0.12 * size)
    _limb(layers, knuckles + across * 0.15 * size, knuckles + across * 0.3 * size + axis * 1.6 * size, 0.36 * size,
          0.34 * size, skin)  # fmt: skip
    for number in range(4):
        base = knuckles + axis * (number - 1.5) * 0.19 * size
        tip = base - across * (half * rng.uniform(0.9, 1.3) + 0.2 * size) + axis * rng.uniform(-0.03, 0.03) * size
        _limb(layers, base, tip, 0.11 * size, 0.09 * size, skin * rng.uniform(0.95, 1.03), shadow=0.35)


def _phone_at_ear(layers: Layers, rng: Generator) -> None:
    side = _side(rng)
    width, length = layers.unit * rng.uniform(0.12, 0.38), layers.unit * rng.uniform(0.85, 1.15)
    middle = layers.at(0.5 + side * rng.uniform(0.44, 0.56), rng.uniform(0.55, 0.72))
    axis = _in_face(layers, -side * rng.uniform(0.0, 0.4), 1)
    cover = layers.polygon_in_pixels(_rounded_box(middle, axis, width, length))
    colour = np.full(3, 1.0) * rng.choice([25, 30, 235]) if rng.random() < 0.7 else _cloth_colour(rng)
    layers.lay(cover, _glossy(layers, colour, rng), shadow=0.35)
    _grip(layers, middle + axis * length * rng.uniform(0.0, 0.25), width / 2, axis, layers.unit * 0.6, side, rng)


def _cup_at_mouth(layers: Layers, rng: Generator) -> None:
    """A cup, a mug or a glass that somebody drinks from."""
    top = layers.at(0.5 + rng.uniform(-0.05, 0.05), rng.uniform(0.68, 0.78))
    axis = _in_face(layers, rng.uniform(-0.25, 0.25), 1)
    across = np.array([axis[1], -axis[0]])
    half, length = layers.unit * rng.uniform(0.17, 0.27), layers.unit * rng.uniform(0.5, 0.85)
    low = half * rng.uniform(0.65, 1.0)
    bottom = top + axis * length
    arc = np.linspace(0, np.pi, 12)
    rim = top + half * np.cos(arc)[:, None] * across - 0.25 * half * np.sin(arc)[:, None] * axis
    base = bottom - low * np.cos(arc)[:, None] * across + 0.3 * low * np.sin(arc)[:, None] * axis
    cover = layers.polygon_in_pixels(np.concatenate([rim, base]))
    glass = rng.random() < 0.25
    colour = rng.choice([235.0, 205.0, 60.0]) * np.ones(3) if rng.random() < 0.5 else _cloth_colour(rng)
    layers.lay(cover * np.float32(0.45 if glass else 1), _round_surface(layers, top, axis, half, colour, rng))
    if rng.random() < 0.5:  # a sleeve or a print
        ends = rng.uniform(0.15, 0.4), rng.uniform(0.6, 0.85)
        widths = [half + (low - half) * end for end in ends]
        corners = [
            top + axis * length * ends[i] + s * widths[i] * across for i, s in ((0, -1), (0, 1), (1, 1), (1, -1))
        ]
        layers.lay(
            layers.polygon_in_pixels(np.array(corners)),
            _round_surface(layers, top, axis, half, _cloth_colour(rng), rng),
            shadow=0,
        )
    if rng.random() < 0.85:
        place = top + axis * length * rng.uniform(0.45, 0.75)
        _grip(layers, place, half * 0.85, axis, layers.unit * rng.uniform(0.5, 0.62), _side(rng), rng)


def _bottle_at_mouth(layers: Layers, rng: Generator) -> None:
    side = _side(rng)
    mouth = layers.at(0.5 + rng.uniform(-0.03, 0.03), rng.uniform(0.73, 0.79))
    axis = _in_face(layers, side * rng.uniform(0.0, 0.9), rng.uniform(0.5, 1))
    neck, body = layers.unit * rng.uniform(0.06, 0.09), layers.unit * rng.uniform(0.15, 0.22)
    shoulder, bottom = layers.unit * rng.uniform(0.25, 0.4), layers.unit * rng.uniform(1.0, 1.4)
    across = np.array([axis[1], -axis[0]])
    outline = [(0, neck), (shoulder * 0.6, neck), (shoulder, body), (bottom, body)]
    points = [mouth + axis * a + across * h for a, h in outline] + [
        mouth + axis * a - across * h for a, h in outline[::-1]
    ]
    clear = rng.random() < 0.5
    colour = np.array([200, 190, 175]) if clear else _cloth_colour(rng)
    cover = layers.polygon_in_pixels(np.array(points)) * np.float32(rng.uniform(0.4, 0.7) if clear else 1)
    layers.lay(cover, _round_surface(layers, mouth, axis, body, colour, rng))
    _grip(layers, mouth + axis * (shoulder + bottom) / 2, body, axis, layers.unit * 0.6, side, rng)


def _microphone(layers: Layers, rng: Generator) -> None:
    """A microphone before or under the mouth, held, on a stand or by a reporter."""
    side = _side(rng)
    near = rng.random() < 0.7
    radius = layers.unit * (rng.uniform(0.11, 0.2) if near else rng.uniform(0.07, 0.12))
    head = layers.at(0.5 + side * rng.uniform(0.0, 0.18), rng.uniform(0.76, 0.95) if near else rng.uniform(0.95, 1.1))
    axis = _in_face(layers, side * rng.uniform(-0.1, 0.9), 1)
    dark = np.full(3, rng.uniform(15, 55))
    foam = dark if rng.random() < 0.6 else _cloth_colour(rng)
    end = head + axis * layers.unit * 1.6
    _limb(layers, head, end, radius * 0.55, radius * 0.4, dark * layers.light[..., None])
    if rng.random() < 0.35:  # the block with the sign of a station
        block = _rounded_box(head + axis * radius * 2.1, axis, radius * rng.uniform(1.8, 2.4), radius * 1.6)
        layers.lay(layers.polygon_in_pixels(block), _glossy(layers, _cloth_colour(rng), rng))
    mesh = 1 + np.float32(rng.uniform(0.05, 0.25)) * layers.noise(28)
    ball = foam.astype(np.float32) * (layers.light * mesh)[..., None]
    long = head + axis * radius * rng.uniform(0.0, 0.9)
    _limb(layers, head, long, radius, radius, ball, shadow=0.35)
    if rng.random() < 0.7:
        _grip(layers, head + axis * radius * rng.uniform(2.8, 4.0), radius * 0.5, axis, layers.unit * 0.55, side, rng)


# What is worn, and hair


def _beard(layers: Layers, rng: Generator) -> None:
    """Stubble or a beard, which follows the jaw, with or without a moustache."""
    x, y = layers.shares
    u = np.abs(2 * x - 1)
    chin = rng.uniform(1.0, 1.1) if rng.random() < 0.75 else rng.uniform(1.1, 1.4)
    whiskers = rng.uniform(0.48, 0.62)  # where it begins beside the ears
    cheek = rng.uniform(0.66, 0.76)  # how low its edge is on the cheeks
    goatee = rng.random() < 0.2
    jaw = whiskers + (chin - whiskers) * np.sqrt(np.clip(1 - (u / 1.04) ** 2.4, 0, 1))
    upper = np.where(u > 0.8, whiskers + (1 - u) / 0.2 * (cheek - whiskers), cheek + 0.05 * np.clip(0.8 - u, 0, 1))
    upper = np.minimum(upper, 0.86)
    blur = np.float32(rng.uniform(0.02, 0.045))
    beard = _smooth((jaw - y) / blur + 0.8) * _smooth((y - upper) / blur) * _smooth((1.05 - u) / 0.1)
    if goatee:
        beard *= _smooth((rng.uniform(0.32, 0.45) - u) / 0.06)
    # The lips and the place below the nose.
    lips = (u / rng.uniform(0.3, 0.36)) ** 2 + ((y - 0.765) / rng.uniform(0.036, 0.05)) ** 2
    beard *= _smooth((lips - 1) / 0.5)
    nose_line = rng.uniform(0.675, 0.695)
    moustache = _smooth((y - nose_line) / 0.012) * _smooth((0.745 - y - 0.02 * u) / 0.012)
    moustache *= _smooth((rng.uniform(0.34, 0.5) - u) / 0.05)
    under_nose = _smooth((y - 0.74) / 0.02) + _smooth((u - 0.42) / 0.06)
    beard = beard * np.clip(under_nose, 0, 1)
    if rng.random() < 0.8:
        beard = np.maximum(beard, moustache)
    density = rng.uniform(0.75, 1.0) if rng.random() < 0.7 else rng.uniform(0.3, 0.6)  # a beard, or stubble
    strands = _strands(layers, rng, short=True)
    cover = np.clip(beard * (density + 0.12 * strands + 0.08 * layers.noise(12)), 0, 1).astype(np.float32)
    colour = _hair_colour(layers, rng, grey=0.3)
    contrast = rng.uniform(0.06, 0.2) * (1 if colour.mean() < 90 else 0.6)
    relief = np.clip(1 + contrast * strands + 0.1 * layers.noise(5) - 0.3 * np.clip((y - 0.8) / 0.3, 0, 1), 0.2, 1.8)
    surface = colour.astype(np.float32) * (layers.shade * relief)[..., None]
    layers.lay(cover, surface, soft=0.008, shadow=0.05)


def _scarf_at_neck(layers: Layers, rng: Generator) -> None:
    """A scarf or a roll-neck around the neck, up to the chin and not over the mouth."""
    top = rng.uniform(0.93, 1.06)
    across = np.linspace(-1, 1, 15)
    wide = rng.uniform(0.42, 0.75)
    rises = rng.uniform(0.0, 0.18)
    upper = np.column_stack([0.5 + wide * across, top - rises * np.abs(across) ** 2.2])
    lower = np.column_stack([0.5 + (wide + 0.35) * across[::-1], np.full(15, 1.9)])
    points = _unturned(layers, np.concatenate([upper, lower]))
    cover = layers.polygon_in_pixels(points)
    layers.lay(cover, _folded_cloth(layers, rng, level=True), shadow=0.35)


def _collar(layers: Layers, rng: Generator) -> None:
    """A stand-up collar or a hood at both sides of the chin."""
    surface = _folded_cloth(layers, rng, level=False)
    high, gap = rng.uniform(0.72, 0.95), rng.uniform(0.02, 0.3)
    for side in (-1, 1):
        points = np.array(
            [(0.62, high), (0.4, high + 0.12), (gap, 1.1), (gap * 0.4, 1.35), (0.1, 1.9), (1.3, 1.9), (0.9, high + 0.2)]
        )
        points[:, 0] = 0.5 + side * points[:, 0]
        layers.lay(layers.polygon_in_pixels(_unturned(layers, points)), surface, shadow=0.35)


def _head_scarf(layers: Layers, rng: Generator) -> None:
    """A head scarf or a hood around the face, which stays free from the forehead to the chin."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    half, top, chin = rng.uniform(0.46, 0.52), rng.uniform(-0.02, 0.14), rng.uniform(0.97, 1.04)
    middle = (top + chin) / 2
    power = rng.uniform(0.75, 1.0)
    inner = np.column_stack(
        [
            0.5 + half * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
            middle + (chin - middle) * np.sin(angle),
        ]
    )
    # From the crown down to the shoulders.
    crown = np.linspace(np.pi, 2 * np.pi, 24)
    wide = half + rng.uniform(0.13, 0.3)
    over = np.column_stack([0.5 + wide * np.cos(crown), 0.5 + rng.uniform(0.72, 0.85) * np.sin(crown)])
    down = np.array(
        [[0.5 + wide * 1.05, 0.95], [0.5 + wide * 1.9, 1.9], [0.5 - wide * 1.9, 1.9], [0.5 - wide * 1.05, 0.95]]
    )
    hole = layers.polygon_in_pixels(layers.face.pixels(inner))
    cover = layers.polygon_in_pixels(_unturned(layers, np.concatenate([over, down]))) * (1 - hole)
    layers.lay(cover, _folded_cloth(layers, rng, level=False), shadow=0.3)


def _hair_over_face(layers: Layers, rng: Generator) -> None:
    """A fringe, or long hair on one side or on both."""
    colour = _hair_colour(layers, rng, grey=0.1)
    strands = _strands(layers, rng)
    x, y = layers.shares
    noise = np.float32(0.02) * layers.noise(25) + np.float32(0.03) * layers.noise(6)
    cover = np.zeros(layers.shape, np.float32)
    fringe = rng.random()
    if fringe < 0.6:
        low, slope = rng.uniform(0.22, 0.42), rng.uniform(-0.25, 0.25)
        cover = np.maximum(
            cover, _smooth((low + slope * (x - 0.5) + noise - y) / 0.04) * _smooth((0.6 - np.abs(x - 0.5)) / 0.1)
        )
    if fringe > 0.4:
        for side in (-1, 1) if rng.random() < 0.5 else (_side(rng),):
            inner = rng.uniform(0.2, 0.44) + rng.uniform(0.0, 0.15) * (y - 0.4) ** 2
            outer = rng.uniform(0.6, 0.8)
            beside = side * (x - 0.5)
            lock = _smooth((beside - inner + noise) / 0.04) * _smooth((outer - beside + noise) / 0.05)
            cover = np.maximum(cover, lock * _smooth((rng.uniform(0.9, 1.7) - y) / 0.1))
    cover *= _smooth((y + 0.2) / 0.1)
    cover = np.clip(cover * (1.05 + 0.25 * strands), 0, 1).astype(np.float32)
    surface = (
        colour.astype(np.float32)
        * (layers.shade * np.clip(1 + (0.25 if colour.mean() < 90 else 0.12) * strands, 0.3, 1.9))[..., None]
    )
    layers.lay(cover, surface, soft=0.005, shadow=0.25)


def _sunglasses(layers: Layers, rng: Generator) -> None:
    half, high = rng.uniform(0.17, 0.235), rng.uniform(0.09, 0.14)
    eye = 0.245 if layers.face.exact else 0.235
    middle = (0.42 if layers.face.exact else 0.385) + rng.uniform(-0.01, 0.02)
    power = rng.uniform(0.45, 1.0)  # from square to round
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    colour = np.full(3, rng.uniform(8, 45)) if rng.random() < 0.75 else _cloth_colour(rng) * 0.5
    y = layers.shares[1]
    graded = np.clip(1 + rng.uniform(0, 1.5) * (y - middle) / high, 0.4, 2.2)
    surface = colour.astype(np.float32) * (layers.light * graded)[..., None]
    frame = np.full(3, rng.uniform(10, 60)) if rng.random() < 0.7 else _cloth_colour(rng)
    clear = np.float32(rng.uniform(0.8, 0.98))
    sides = [layers.at(0.5 + side * (eye + half), middle - 0.3 * high) for side in (-1, 1)]
    ears = [layers.at(0.5 + side * 0.53, middle) for side in (-1, 1)]
    bars = [np.stack(ends) for ends in zip(sides, ears, strict=True)]
    bars.append(
        np.stack([layers.at(0.5 - eye + half * 0.8, middle - 0.02), layers.at(0.5 + eye - half * 0.8, middle - 0.02)])
    )
    layers.lay(layers.lines(bars, 0.03 * layers.unit), frame * layers.light[..., None], soft=0.006, shadow=0.2)
    for side in (-1, 1):
        outline = np.column_stack(
            [
                0.5 + side * eye + half * np.sign(cosine) * np.abs(cosine) ** power,
                middle + high * np.sign(sine) * np.abs(sine) ** power,
            ]
        )
        layers.lay(layers.polygon(outline) * clear, surface, soft=0.008, shadow=0.15)
        closed = layers.face.pixels(np.concatenate([outline, outline[:1]]))
        layers.lay(layers.lines([closed], 0.022 * layers.unit), frame * layers.light[..., None], soft=0.006, shadow=0)
        if rng.random() < 0.5:  # a reflection
            shine = layers.polygon(outline * 0.5 + 0.5 * np.array([0.5 + side * eye - 0.05, middle - 0.04]))
            layers.lay(shine * np.float32(rng.uniform(0.1, 0.4)), np.full(3, 235.0), soft=0.03, shadow=0)


def _head_in_front(layers: Layers, rng: Generator) -> None:
    """The back of a head, or a shoulder, before a lower corner of the face."""
    side = _side(rng)
    middle = layers.at(0.5 + side * rng.uniform(0.45, 0.8), rng.uniform(1.15, 1.5))
    axes = layers.unit * rng.uniform([0.4, 0.45], [0.6, 0.75])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = middle + axes * np.column_stack([np.cos(angle), np.sin(angle)])
    wobble = 1 + 0.03 * np.sin(angle * 5 + rng.uniform(0, 6))
    outline = middle + (outline - middle) * wobble[:, None]
    if rng.random() < 0.7:
        colour = _hair_colour(layers, rng, grey=0.15, own=False)
        relief = np.clip(1 + 0.2 * _strands(layers, rng), 0.3, 1.8)
        surface = colour.astype(np.float32) * (layers.shade * relief)[..., None]
    else:
        surface = _folded_cloth(layers, rng, level=False)
    layers.lay(layers.polygon_in_pixels(outline), surface, soft=rng.uniform(0.01, 0.04), shadow=0.2)


# Colours and surfaces


def _cloth_colour(rng: Generator) -> Colour:
    """Mostly dull and dark, as clothes and things are."""
    grey = rng.uniform(15, 235)
    vivid = rng.uniform(0, 0.6) if rng.random() < 0.6 else 0.0
    return np.asarray(np.clip(grey * (1 + vivid * rng.uniform(-1, 1, 3)), 8, 248))


def _hair_colour(layers: Layers, rng: Generator, *, grey: float, own: bool = True) -> Colour:
    """Black and brown, fair, red or grey hair: BGR in the light of the face."""
    exposure = float(np.clip(layers.skin.mean() / 150, 0.35, 1.3))
    if own and rng.random() < 0.4:
        sampled = layers.colour_at(0.5 + rng.uniform(-0.2, 0.2), -0.08)
        if sampled.mean() < 0.75 * layers.skin.mean():
            return sampled
    if rng.random() < grey:
        return np.full(3, rng.uniform(110, 215)) * exposure
    tones = ((28, 30, 36), (30, 36, 48), (38, 52, 78), (60, 90, 130), (40, 62, 120), (95, 140, 175))
    tone = np.array(tones[rng.choice(len(tones), p=(0.36, 0.27, 0.2, 0.07, 0.05, 0.05))], np.float64)
    return tone * exposure * rng.uniform(0.7, 1.3)


def _strands(layers: Layers, rng: Generator, *, short: bool = False) -> Plane:
    """The shine of hair: noise that is long along the strands and thin across them."""
    rows, columns = layers.shape
    along = (rng.uniform(9, 16) if short else rng.uniform(3, 6)) / layers.unit
    fine = rng.standard_normal((max(round(rows * along), 2), max(round(columns * 42 / layers.unit), 2)), np.float32)
    flow = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_CUBIC)
    bend = (np.float32(0.06 * layers.unit) * layers.noise(2.5)).astype(np.float32)
    x, y = layers.grid
    return np.asarray(cv2.remap(flow, x + bend, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _folded_cloth(layers: Layers, rng: Generator, *, level: bool) -> Plane:
    """Cloth with soft folds, plain or patterned."""
    colour = _cloth_colour(rng)
    cloth = np.full((*layers.shape, 3), colour, np.float32)
    x, y = layers.grid
    x, y = x / np.float32(layers.unit), y / np.float32(layers.unit)
    kind = rng.random()
    if kind < 0.14:
        angle, period = rng.uniform(0, np.pi), rng.uniform(0.05, 0.2)
        stripes = ((x * np.cos(angle) + y * np.sin(angle)) / period) % 1 < rng.uniform(0.2, 0.6)
        checks = ((y * np.cos(angle) - x * np.sin(angle)) / period) % 1 < 0.5
        cloth[stripes ^ checks if kind < 0.07 else stripes] = _cloth_colour(rng)
    elif kind < 0.22:
        cloth[layers.noise(rng.uniform(6, 16)) > rng.uniform(0.2, 0.9)] = _cloth_colour(rng)
    warp = 0.12 * layers.noise(2.0)
    along = y + 0.35 * (x - 0.5) * rng.uniform(-1, 1) if level else x + 0.5 * y * rng.uniform(-1, 1)
    wave = np.sin(2 * np.pi * ((along + warp) / rng.uniform(0.14, 0.3)))
    folds = 1 - np.float32(rng.uniform(0.05, 0.3)) * np.clip(wave, -0.3, 1) ** 2 + np.float32(0.05) * layers.noise(6)
    weave = 1 + np.float32(rng.uniform(0, 0.06)) * layers.noise(40)
    return np.asarray(cloth * np.clip(layers.light * folds * weave, 0.1, 1.4)[..., None], np.float32)


def _glossy(layers: Layers, colour: Colour, rng: Generator) -> Plane:
    """A flat hard surface with a soft reflection."""
    shine = np.clip(layers.noise(1.5), 0, 1) * np.float32(rng.uniform(0, 45))
    return np.asarray(colour.astype(np.float32) * layers.light[..., None] + shine[..., None], np.float32)


def _round_surface(
    layers: Layers, top: Point, axis: Point, half: float, colour: Colour, rng: Generator
) -> NDArray[np.float32]:
    """The surface of an upright cylinder: dark at both sides, with a light stripe."""
    x, y = layers.grid
    across = ((x - top[0]) * axis[1] - (y - top[1]) * axis[0]) / half
    relief = 1.05 - 0.35 * np.clip(across, -1, 1) ** 2
    stripe = np.exp(-(((across - rng.uniform(-0.5, 0.5)) / 0.15) ** 2)) * rng.uniform(0, 40)
    return np.asarray(colour * (layers.light * relief)[..., None] + stripe[..., None], np.float32)


# Geometry


def _in_face(layers: Layers, right: float, down: float) -> Point:
    """A unit vector in pixels, from its parts to the right and down of the face."""
    matrix = layers.face.matrix
    return _unit(right * _unit(matrix[:, 0]) + down * _unit(matrix[:, 1]))


def _unturned(layers: Layers, points: Point) -> Point:
    """Pixels of points around the head, which do not turn with the face: clothes."""
    return np.asarray(points @ layers.face.matrix[:, :2].T + layers.face.matrix[:, 2])


def _unit(vector: Point) -> Point:
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-9))


def _turned(vector: Point, angle: float) -> Point:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([cosine * vector[0] - sine * vector[1], sine * vector[0] + cosine * vector[1]])


def _rounded_box(middle: Point, axis: Point, width: float, length: float) -> Point:
    across = np.array([axis[1], -axis[0]])
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    u = np.sign(cosine) * np.abs(cosine) ** 0.25 * width / 2
    v = np.sign(sine) * np.abs(sine) ** 0.25 * length / 2
    return np.asarray(middle + u[:, None] * across + v[:, None] * axis)


def _smooth(value: NDArray[np.floating]) -> Plane:
    """From 0 to 1 where `value` passes from 0 to 1."""
    inside = np.clip(value, 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), np.float32)


@dataclass(frozen=True)
class _Object:
    """An object: how often it is drawn, relative to others, what it hides, and what draws it."""

    often: float
    hides: Hidden
    draw: Callable[[Layers, Generator], None]


_OBJECTS = {
    "hand over the mouth": _Object(4, "mouth", _hand_over_mouth),
    "fist at the mouth": _Object(2, "mouth", _fist_at_mouth),
    "hand at the chin": _Object(2, "mouth", _hand_at_chin),
    "hand on the cheek": _Object(1.5, "beside", _hand_on_cheek),
    "phone at the ear": _Object(1.5, "beside", _phone_at_ear),
    "cup at the mouth": _Object(2, "mouth", _cup_at_mouth),
    "bottle at the mouth": _Object(1, "mouth", _bottle_at_mouth),
    "microphone": _Object(3, "mouth", _microphone),
    "beard": _Object(4, "mouth", _beard),
    "scarf around the neck": _Object(2.5, "chin", _scarf_at_neck),
    "collar": _Object(1.5, "chin", _collar),
    "head scarf": _Object(2, "chin", _head_scarf),
    "hair over the face": _Object(1.5, "beside", _hair_over_face),
    "sunglasses": _Object(1.5, "beside", _sunglasses),
    "head in front": _Object(1.5, "chin", _head_in_front),
}
KINDS: Sequence[str] = tuple(_OBJECTS)
"""All objects."""

_ALLOWED: dict[Hidden, tuple[Hidden, ...]] = {
    "mouth": ("mouth", "chin", "beside"),
    "chin": ("chin", "beside"),
    "beside": ("beside",),
}
