"""Divides the evaluated faces into slices: by size, label, data set, blur, brightness and mask colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.evaluation.face_sizes import CLASSES, LARGE_FROM
from maskcheck.pictures.crops import crop_face
from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.data.samples import Sample

BLUR_SIZE = 48
"""Side, in pixels, that faces are shrunk to before their blur is measured; smaller faces are not measured."""

BLUR = {"blurred": 0.0, "soft": 300.0, "sharp": 1200.0}
"""Lowest variance of the Laplacian in each class, in squared grey levels."""

BRIGHTNESS = {"dark": 0.0, "medium": 85.0, "bright": 170.0}
"""Lowest mean luma in each class, 0 black to 255 white: thirds of the range."""

MASKED = "with_mask"
"""The label whose faces have a mask colour."""

UNCLEAR = "unclear"
COLOURS = ("white", "black", "blue", "other", UNCLEAR)


@dataclass(frozen=True)
class Traits:
    """Measurements of the picture of a face.

    Attributes:
        blur: Variance of the Laplacian (Pech-Pacheco et al. 2000) of the luma of the box shrunk to 48 pixels, in
            squared grey levels: low if the picture is out of focus, smeared or has little contrast. None for a smaller
            face: enlarging would blur it, so that the blur would only measure the size.
        brightness: Mean luma of the box (ITU-R BT.601), 0 to 255.
        mask_colour: Of the lower half of the face: ``white``, ``black``, ``blue``, ``other``; ``unclear`` where the
            face is smaller than 24 pixels or the region has several colours.
    """

    blur: float | None
    brightness: float
    mask_colour: str

    @classmethod
    def measure(cls, picture: BGRImage, sample: Sample) -> Traits:
        """Measure a face in a picture: uint8 (H, W, 3), BGR."""
        face = crop_face(picture, np.array(sample.box), size=BLUR_SIZE, margin=0)
        luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        return cls(
            blur=float(cv2.Laplacian(luma, cv2.CV_32F).var()) if sample.shorter_side >= BLUR_SIZE else None,
            brightness=float(luma.mean()),
            mask_colour=_mask_colour(face) if sample.shorter_side >= LARGE_FROM else UNCLEAR,
        )


def _mask_colour(face: NDArray[np.uint8]) -> str:
    """The colour class of the mask in a square RGB crop, by CIE L*a*b*."""
    side = len(face)
    region = face[round(0.55 * side) : round(0.85 * side), round(0.3 * side) : round(0.7 * side)]
    pixels = cv2.cvtColor(region.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness, a, b = median = np.median(pixels, axis=0)
    # Shading changes the lightness of a cloth much and its hue little: lightness counts half.
    distance = np.linalg.norm((pixels - median) * (0.5, 1, 1), axis=1)
    if (distance < 12).mean() < 0.7:
        return UNCLEAR
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    if chroma < 12 and lightness < 35:
        return "black"
    if chroma >= 6 and 180 <= hue < 310:
        return "blue"
    if chroma < 12 and lightness >= 60:
        return "white"
    return "other"


@dataclass(frozen=True)
class Slice:
    """Some of the evaluated faces.

    Attributes:
        kind: What the faces are divided by, as ``face size``.
        name: The class, as ``8 to 12 px``.
        members: bool (N,): which of the N faces are in the slice.
    """

    kind: str
    name: str
    members: NDArray[np.bool_]


def cut_slices(samples: Sequence[Sample], traits: Sequence[Traits]) -> list[Slice]:
    """Divide N samples into the slices of the report; slices without a face are left out.

    Args:
        samples: The faces.
        traits: Their traits, in the same order.
    """
    datasets = sorted({sample.dataset for sample in samples})
    labels = sorted({sample.label for sample in samples})

    def cut(kind: str, names: Sequence[str], name_of: Callable[[Sample, Traits], str | None]) -> list[Slice]:
        chosen = np.array([name_of(sample, trait) for sample, trait in zip(samples, traits, strict=True)], object)
        return [Slice(kind, name, chosen == name) for name in names if (chosen == name).any()]

    return [
        *cut("data set", datasets, lambda sample, _: sample.dataset),
        *cut(
            f"data set, {LARGE_FROM} px or more",
            datasets,
            lambda s, _: s.dataset if s.shorter_side >= LARGE_FROM else None,
        ),
        *cut("label", labels, lambda sample, _: sample.label),
        *cut(
            "face size",
            list(CLASSES),
            lambda sample, _: _class_of(sample.shorter_side, {name: low for name, (low, _) in CLASSES.items()}),
        ),
        *cut("blur", [*BLUR, _BLUR_UNKNOWN], lambda _, trait: _blur_name(trait)),
        *cut("brightness", list(BRIGHTNESS), lambda _, trait: _class_of(trait.brightness, BRIGHTNESS)),
        *cut("mask colour", list(COLOURS), lambda s, trait: trait.mask_colour if s.label == MASKED else None),
    ]


_BLUR_UNKNOWN = f"unknown (< {BLUR_SIZE} px)"


def _blur_name(trait: Traits) -> str:
    return _BLUR_UNKNOWN if trait.blur is None else _class_of(trait.blur, BLUR)


def _class_of(value: float, classes: Mapping[str, float]) -> str:
    return [name for name, least in classes.items() if least <= value][-1]
