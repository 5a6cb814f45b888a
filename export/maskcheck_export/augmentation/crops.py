"""Cuts a training crop: a face as another detector might box it, changed at random by a recipe."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from maskcheck.classifier.second_look import relative_boxes
from maskcheck.pictures.crops import crop_face
from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.augmentation.light import add_noise, backlight, blur_by_motion, overexpose
from maskcheck_export.augmentation.objects import Hidden, put_before
from maskcheck_export.augmentation.occlusion import occlude
from maskcheck_export.augmentation.painting import Way, in_view, paint_mask
from maskcheck_export.data.pack import Region
from maskcheck_export.recipes.settings import Augmentation, Input, PaintedMasks


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """A crop, and what the model is to say of it.

    Attributes:
        pixels: uint8 (S, S, 3), RGB.
        label: Its label.
        box: float32 (4,), the place of the face as in ``maskcheck.classifier.second_look``; None if it is unknown.
    """

    pixels: NDArray[np.uint8]
    label: str
    box: NDArray[np.float32] | None


def random_crop(
    region: Region, label: str, *, whole: bool, shape: Input, augmentation: Augmentation, rng: Generator
) -> TrainingCrop:
    """Cut a face out of its region, and change it at random.

    Args:
        region: The face with its surroundings.
        label: Its label.
        whole: The label was given to a whole picture, not to a box.
        shape: Size and margin of the crop.
        augmentation: How to change it.
        rng: Source of all randomness.

    Returns:
        The crop; a painted mask changes its label.
    """
    pixels, place = region.pixels, None
    way = _mask_to_paint(region, label, augmentation.masks, rng)
    if way:
        pixels = paint_mask(pixels, region.face, way, rng, region.landmarks)
        label = augmentation.masks.worn_label if way == "worn" else augmentation.masks.incorrect_label
    if rng.random() < augmentation.objects:
        hides = _what_may_be_hidden(label, augmentation.masks)
        pixels = put_before(pixels, region.face, rng, hides=hides, landmarks=region.landmarks)
    crop, box = _random_frame(pixels, region.box, whole, shape, augmentation, rng)
    if region.target is not None:
        place = relative_boxes(region.target[None], box[None])[0]
    if rng.random() < augmentation.flip:
        crop = np.ascontiguousarray(crop[:, ::-1])
        place = None if place is None else place * np.array([-1, 1, 1, 1], np.float32)
    if augmentation.rotation or augmentation.shear:
        crop, turn = _turn(crop, augmentation, rng)
        place = None if place is None else np.concatenate([turn @ place[:2], place[2:]]).astype(np.float32)
    if rng.random() < augmentation.occlusion:
        crop = occlude(crop, rng)
    if rng.random() < augmentation.light:
        crop = _light(crop, augmentation, rng)
    if rng.random() < augmentation.overexposure:
        crop = overexpose(crop, rng)
    elif rng.random() < augmentation.backlight:
        crop = backlight(crop, rng)
    if rng.random() < augmentation.blur:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, shape.size / 64)), np.uint8)
    if rng.random() < augmentation.motion_blur:
        crop = blur_by_motion(crop, rng)
    if rng.random() < augmentation.far:
        crop = _shrink_and_enlarge(crop, augmentation.far_size, rng)
    if rng.random() < augmentation.noise:
        crop = add_noise(crop, rng)
    if rng.random() < augmentation.jpeg:
        crop = _jpeg(crop, rng)
    return TrainingCrop(crop, label, place)


def _mask_to_paint(region: Region, label: str, masks: PaintedMasks, rng: Generator) -> Way | None:
    if label != masks.bare_label or (region.face is None and region.landmarks is None):
        return None
    draw = rng.random()
    if draw >= masks.worn + masks.incorrect:
        return None
    # As on the street, under the nose more often than on the chin, which tight crops do not show.
    ways: list[Way] = ["worn"] if draw < masks.worn else ["chin", "nose_out"] if rng.random() < 0.25 else ["nose_out"]
    height = region.pixels.shape[0]
    return next((way for way in ways if in_view(way, region.face, height, region.landmarks)), None)


def _what_may_be_hidden(label: str, masks: PaintedMasks) -> Hidden:
    """What an object may hide, so that the label can still be seen."""
    return "mouth" if label == masks.bare_label else "chin" if label == masks.worn_label else "beside"


def _random_frame(
    pixels: BGRImage, box: NDArray[np.float32], whole: bool, shape: Input, augmentation: Augmentation, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A crop, and the box that it is cut out by."""
    if whole and rng.random() < augmentation.tight:
        resized = cv2.resize(pixels, (shape.size, shape.size), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), np.uint8), box
    corner, opposite = box[:2], box[2:]
    sides = opposite - corner
    centre = (corner + opposite) / 2 + rng.uniform(-augmentation.shift, augmentation.shift, 2) * sides
    half = sides / 2 * rng.uniform(1 - augmentation.zoom, 1 + augmentation.zoom, 2)
    # A whole picture has no surroundings: more margin would only repeat its edges.
    margin = rng.uniform(0, shape.margin) if whole else shape.margin
    jittered = np.concatenate([centre - half, centre + half]).astype(np.float32)
    return crop_face(pixels, jittered, size=shape.size, margin=margin), jittered


def _turn(
    crop: NDArray[np.uint8], augmentation: Augmentation, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The crop, turned and sheared about its centre, and the matrix (2, 2) that does so to a vector from there."""
    size = crop.shape[0]
    angle = rng.uniform(-augmentation.rotation, augmentation.rotation)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1)
    shear = rng.uniform(-augmentation.shear, augmentation.shear)
    matrix[0] += [0, shear, -shear * size / 2]  # about the centre
    turned = cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(matrix[:, :2], np.float64)


def _shrink_and_enlarge(crop: NDArray[np.uint8], sides: tuple[int, int], rng: Generator) -> NDArray[np.uint8]:
    """A far face: few pixels, enlarged to the input size. Each octave of sizes is equally likely."""
    size = crop.shape[0]
    far = min(round(np.exp(rng.uniform(*np.log(sides)))), size)
    small = cv2.resize(crop, (far, far), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _light(crop: NDArray[np.uint8], augmentation: Augmentation, rng: Generator) -> NDArray[np.uint8]:
    """Change contrast and brightness, and the gain of each channel a little (white balance)."""
    gain = rng.uniform(1 - augmentation.contrast, 1 + augmentation.contrast)
    gains = gain * rng.uniform(1 - augmentation.colour, 1 + augmentation.colour, 3)
    mean = crop.mean()
    changed = (crop - mean) * gains + mean + 255 * rng.uniform(-augmentation.brightness, augmentation.brightness)
    return np.asarray(np.clip(changed, 0, 255), np.uint8)


def _jpeg(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    # Encoded as if the crop were BGR: decoding returns the same order of channels.
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
