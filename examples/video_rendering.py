"""Draw a scene: frames with the truth about every face in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from video_people import Look, Pixels, draw_person, face_box
from video_scenes import Person, Place, Scene

FADE = 0.12  # seconds that a mask takes to go on or off: three frames at 25 frames a second
MARGIN = 0.02  # of the wall beyond the frame, as a share of its height: the most that the camera may shake


class TrueFace(NamedTuple):
    """A face as it is in a frame, found or not."""

    track: int
    box: tuple[float, float, float, float]  # x1 y1 x2 y2 in pixels; parts may lie outside the frame
    label: str  # with_mask or without_mask
    visible: float  # share of the box that lies in the frame and is not hidden by a person or a newspaper


class RenderedFrame(NamedTuple):
    """A frame, and who is in it."""

    time: float  # seconds
    image: Pixels  # BGR
    faces: list[TrueFace]


class Layer(NamedTuple):
    """Something to paint: BGRA, multiplied with alpha, and where its left upper corner lies."""

    image: Pixels
    x: int
    y: int


def draw_wall(width: int, height: int, seed: int) -> Pixels:
    """A plastered wall with a window, a door and a pavement, as BGR. Nothing in it looks like a face."""
    dice = np.random.default_rng([seed, 2])
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall = np.broadcast_to((1 - down) * (196, 204, 208) + down * (160, 172, 180), (height, width, 3)).copy()
    for cells, strength in ((6, 7.0), (24, 5.0), (90, 3.0)):
        grain = dice.normal(0, strength, (cells, max(1, cells * width // height))).astype(np.float32)
        wall += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]

    def pane(left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        x1, y1, x2, y2 = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        wall[y1:y2, x1:x2] = wall[y1:y2, x1:x2] * 0.25 + np.array(colour) * 0.75
        cv2.rectangle(wall, (x1, y1), (x2, y2), (96, 104, 110), max(1, height // 120))

    pane(0.06, 0.08, 0.4, 0.62, (150, 134, 112))
    pane(0.22, 0.08, 0.235, 0.62, (96, 104, 110))
    pane(0.68, 0.12, 0.86, 0.86, (88, 108, 128))
    ground = round(0.86 * height)
    wall[ground:] = wall[ground:] * 0.3 + np.array((118, 120, 122)) * 0.7
    for x in range(0, width, max(8, height // 5)):
        cv2.line(wall, (x, ground), (x - height // 12, height), (98, 100, 102), max(1, height // 300))
    return np.asarray(np.clip(wall, 0, 255), np.uint8)


def render(scene: Scene) -> Iterator[RenderedFrame]:
    """Draw every frame of the scene; the same scene always gives the same pixels."""
    margin = round(MARGIN * scene.height)
    wall = draw_wall(scene.width + 2 * margin, scene.height + 2 * margin, scene.seed)
    dice = np.random.default_rng([scene.seed, 3])
    # Noise is the dear part: one plate serves all frames, each from another corner of it.
    plate = dice.normal(0, scene.noise, (scene.height + 64, scene.width + 64, 3)) if scene.noise else None
    grain = None if plate is None else np.rint(plate).astype(np.int16)
    for time in scene.frame_times():
        shift_x, shift_y = _shake(scene, time)
        image = _window(wall, (scene.width, scene.height), margin - shift_x, margin - shift_y)
        faces = _paint_people(image, scene, time, (shift_x, shift_y))
        if grain is not None:
            y, x = dice.integers(0, 64, 2)
            noisy = image + grain[y : y + scene.height, x : x + scene.width]
            image = np.asarray(np.clip(noisy, 0, 255), np.uint8)
        if scene.flicker:
            share = 1 + scene.flicker * (0.7 * np.sin(1.3 * time) + 0.3 * dice.uniform(-1, 1))
            image = np.asarray(cv2.convertScaleAbs(image, alpha=float(share)), np.uint8)
        yield RenderedFrame(time, image, faces)


def _shake(scene: Scene, time: float) -> tuple[float, float]:
    """How far the camera moves the picture, in pixels."""
    far = min(scene.shake, MARGIN) * scene.height
    phase = scene.seed % 100
    return (
        far * float(np.sin(7.1 * time + phase) + np.sin(11.3 * time)) / 2,
        far * float(np.sin(8.3 * time) + np.sin(13.7 * time + phase)) / 2,
    )


def _window(wall: Pixels, size: tuple[int, int], left: float, top: float) -> Pixels:
    """Cut a frame out of the wall, at a fraction of a pixel."""
    move = np.array([[1, 0, -left], [0, 1, -top]])
    return np.asarray(cv2.warpAffine(wall, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _paint_people(image: Pixels, scene: Scene, time: float, shift: tuple[float, float]) -> list[TrueFace]:
    layers: list[Layer] = []
    found: list[tuple[int, TrueFace]] = []  # with the layer of the person: later ones hide it
    for person in scene.people:
        place = person.place(time)
        if place is None:
            continue
        layer, box = _person_layer(person, place, scene, shift)
        layers.append(layer)
        label = "with_mask" if person.masked(time) else "without_mask"
        found.append((len(layers) - 1, TrueFace(person.track, box, label, 0.0)))
        if person.covers_face(time):
            layers.append(_newspaper(box, (scene.width, scene.height)))
    for layer in layers:
        _paint(image, layer)
    return [
        face._replace(visible=_visible_share(face.box, layers[index + 1 :], (scene.width, scene.height)))
        for index, face in found
    ]


def _person_layer(
    person: Person, place: Place, scene: Scene, shift: tuple[float, float]
) -> tuple[Layer, tuple[float, float, float, float]]:
    centre = (place.x * scene.width + shift[0], place.y * scene.height + shift[1])
    height = place.height * scene.height
    look = Look(person.portrait, None, person.mirrored, person.hue)
    masked = Look(person.portrait, person.mask, person.mirrored, person.hue)
    share = _mask_share(person, place.time)
    size = (scene.width, scene.height)
    image, x, y = draw_person(masked if share == 1 else look, centre, height, size)
    if 0 < share < 1 and image.size:
        image = np.asarray(
            cv2.addWeighted(image, 1 - share, draw_person(masked, centre, height, size)[0], share, 0), np.uint8
        )
    x1, y1, x2, y2 = face_box(look)
    half_width = height * (x2 - x1) / (y2 - y1) / 2
    box = (centre[0] - half_width, centre[1] - height / 2, centre[0] + half_width, centre[1] + height / 2)
    return Layer(image, x, y), box


def _mask_share(person: Person, time: float) -> float:
    """How much of the mask shows, in [0, 1]: it goes on and off within FADE around the time of the change."""
    for change in person.mask_changes:
        if abs(time - change) < FADE / 2:
            after = (time - change) / FADE + 0.5
            return after if person.masked(change) else 1 - after
    return float(person.masked(time))


def _newspaper(box: tuple[float, float, float, float], frame: tuple[int, int]) -> Layer:
    """A sheet with columns of text, larger than the face."""
    width, height = round(1.7 * (box[2] - box[0])), round(1.4 * (box[3] - box[1]))
    left, top = round((box[0] + box[2] - width) / 2), round((box[1] + box[3] - height) / 2)
    sheet = np.full((height, width, 4), (214, 222, 226, 255), np.uint8)
    line = max(2, height // 14)
    for y in range(2 * line, height - line, 2 * line):
        for column in range(3):
            x = round((0.06 + 0.31 * column) * width)
            sheet[y : y + line // 2 + 1, x : x + round(0.26 * width), :3] = (150, 156, 160)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(frame[0], left + width), min(frame[1], top + height)
    return Layer(sheet[y1 - top : max(y1, y2) - top, x1 - left : max(x1, x2) - left], x1, y1)


def _paint(image: Pixels, layer: Layer) -> None:
    rows, columns = layer.image.shape[:2]
    below = image[layer.y : layer.y + rows, layer.x : layer.x + columns]
    kept = 255 - layer.image[..., 3:].astype(np.uint16)
    below[:] = ((below * kept + 127) // 255 + layer.image[..., :3]).clip(0, 255)


def _visible_share(box: tuple[float, float, float, float], hiding: list[Layer], frame: tuple[int, int]) -> float:
    x1, y1, x2, y2 = (round(edge) for edge in box)
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, frame[0]), min(y2, frame[1])
    if right <= left or bottom <= top:
        return 0.0
    shown: NDArray[np.float32] = np.ones((bottom - top, right - left), np.float32)
    for layer in hiding:
        rows, columns = layer.image.shape[:2]
        start_x, end_x = max(left, layer.x), min(right, layer.x + columns)
        start_y, end_y = max(top, layer.y), min(bottom, layer.y + rows)
        if start_x < end_x and start_y < end_y:
            alpha = layer.image[start_y - layer.y : end_y - layer.y, start_x - layer.x : end_x - layer.x, 3]
            shown[start_y - top : end_y - top, start_x - left : end_x - left] *= 1 - alpha / np.float32(255)
    return float(shown.sum()) / ((x2 - x1) * (y2 - y1))
