"""Parts of the evaluated faces that are reported apart: by size, label, data set, blur, brightness, mask colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.crops import crop_face
from maskcheck.pictures.decoding import BGRImage
from maskcheck_export.data.samples import FACE_SIZES, Sample
from maskcheck_export.evaluation.metrics import NEAR_FACE

BLUR_SIZE = 48
"""Side, in pixels, that faces are reduced to before their blur is measured; smaller ones are not measured."""

BLUR = {"blurred": 0.0, "soft": 300.0, "sharp": 1200.0}
"""Least variance of the Laplacian of each class, in squared grey levels."""

BRIGHTNESS = {"dark": 0.0, "medium": 85.0, "bright": 170.0}
"""Least mean luma of each class, 0 black to 255 white: thirds of the range."""

MASKED = "with_mask"
"""The label whose faces have a mask colour."""

UNCLEAR = "unclear"
COLOURS = ("white", "black", "blue", "other", UNCLEAR)


@dataclass(frozen=True)
class Traits:
    """What can be measured on the picture of a face.

    Attributes:
        blur: Variance of the Laplacian (Pech-Pacheco et al. 2000) of the luma of the box reduced to 48 pixels, in
            squared grey levels: low where the picture is out of focus, smeared or has little contrast. None for a
            smaller face: enlarging would blur it, and it would be measured as its size once more.
        brightness: Mean luma of the box (ITU-R BT.601), 0 to 255.
        mask_colour: Of the lower half of the face: ``white``, ``black``, ``blue``, ``other``; ``unclear`` where the
            face is smaller than 24 pixels or the region has no one colour.
    """

    blur: float | None
    brightness: float
    mask_colour: str

    @classmethod
    def measure(cls, picture: BGRImage, sample: Sample) -> Traits:
        """Measure a face of a picture: uint8 (H, W, 3), BGR."""
        face = crop_face(picture, np.array(sample.box), size=BLUR_SIZE, margin=0)
        luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        return cls(
            blur=float(cv2.Laplacian(luma, cv2.CV_32F).var()) if sample.shorter_side >= BLUR_SIZE else None,
            brightness=float(luma.mean()),
            mask_colour=_mask_colour(face) if sample.shorter_side >= NEAR_FACE else UNCLEAR,
        )


def _mask_colour(face: NDArray[np.uint8]) -> str:
    """Colour class of a square RGB crop's mask region, told in CIE L*a*b*."""
    side = len(face)
    region = face[round(0.55 * side) : round(0.85 * side), round(0.3 * side) : round(0.7 * side)]
    pixels = cv2.cvtColor(region.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness, a, b = median = np.median(pixels, axis=0)
    # Shading changes the lightness of one cloth much, its hue little: lightness counts half.
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
        kind: What they have in common, as ``face size``.
        name: Which, as ``8-12 px``.
        members: bool (N,): which of the N faces.
    """

    kind: str
    name: str
    members: NDArray[np.bool_]


def cut_slices(samples: Sequence[Sample], traits: Sequence[Traits]) -> list[Slice]:
    """Cut N samples into the slices of the report; those without a face are left out.

    Args:
        samples: The faces.
        traits: Their traits, in the same order.
    """
    datasets = sorted({sample.dataset for sample in samples})
    labels = sorted({sample.label for sample in samples})

    def cut(kind: str, names: Sequence[str], name_of: Callable[[Sample, Traits], str | None]) -> list[Slice]:
        found = np.array([name_of(sample, trait) for sample, trait in zip(samples, traits, strict=True)], object)
        return [Slice(kind, name, found == name) for name in names if (found == name).any()]

    return [
        *cut("data set", datasets, lambda sample, _: sample.dataset),
        *cut(
            f"data set, {NEAR_FACE} px or more",
            datasets,
            lambda s, _: s.dataset if s.shorter_side >= NEAR_FACE else None,
        ),
        *cut("label", labels, lambda sample, _: sample.label),
        *cut(
            "face size",
            [size_name(edge) for edge in (0, *FACE_SIZES)],
            lambda sample, _: size_name(sample.shorter_side),
        ),
        *cut("blur", [*BLUR, _BLUR_UNKNOWN], lambda _, trait: _blur_name(trait)),
        *cut("brightness", list(BRIGHTNESS), lambda _, trait: _class_of(trait.brightness, BRIGHTNESS)),
        *cut("mask colour", list(COLOURS), lambda s, trait: trait.mask_colour if s.label == MASKED else None),
    ]


def size_name(side: float) -> str:
    """Name of the slice by face size that holds a shorter side, in pixels: from the lower edge up to the upper."""
    if side < FACE_SIZES[0]:
        return f"< {FACE_SIZES[0]} px"
    if side >= FACE_SIZES[-1]:
        return f">= {FACE_SIZES[-1]} px"
    upper = next(i for i, edge in enumerate(FACE_SIZES) if side < edge)
    return f"{FACE_SIZES[upper - 1]}-{FACE_SIZES[upper]} px"


_BLUR_UNKNOWN = f"not told (< {BLUR_SIZE} px)"


def _blur_name(trait: Traits) -> str:
    return _BLUR_UNKNOWN if trait.blur is None else _class_of(trait.blur, BLUR)


def _class_of(value: float, classes: Mapping[str, float]) -> str:
    return [name for name, least in classes.items() if least <= value][-1]
