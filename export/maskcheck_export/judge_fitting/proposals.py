"""Collects what a detector proposes in pictures whose faces are known: what its judge is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import overlap
from maskcheck.detectors.haar.detector import face_in_window
from maskcheck.detectors.judge.appearance import appearance_features
from maskcheck.detectors.judge.judge import Proposer
from maskcheck.errors import ImageError
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.hosting.creation import create_detector
from maskcheck.hosting.registry import default_registry
from maskcheck.pictures.decoding import load_image
from maskcheck_export.data.portraits import find_window
from maskcheck_export.data.proposals import in_regions
from maskcheck_export.errors import DataError

ENLARGED = 2.5
"""The faces of crowds are small; enlarged by this, their pictures show what parts of large faces look like."""

_NONE = np.empty((0, 4))
_NEAR_A_FACE = 0.35  # overlap with a face from which a proposal in an ignored region is kept


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a detector proposes in a picture, and the faces of the picture.

    Attributes:
        picture: Index of the annotated picture; None for a portrait, which is fitted on but not scored.
        size: Width and height of the picture, in pixels.
        proposed: The N proposed boxes.
        features: float32 (N, F), the features that a judge looks at.
        faces: float64 (M, 4), the annotated faces.
    """

    picture: int | None
    size: tuple[int, int]
    proposed: Detections
    features: NDArray[np.float32]
    faces: NDArray[np.float64]


def proposers(name: str) -> tuple[dict[str, Proposer], str]:
    """A detector with each of its presets, by preset; and its default preset.

    Raises:
        DataError: The detector has no presets, or no method ``propose``.
    """
    spec = default_registry().find(name).spec
    preset = next((option for option in spec.options if option.name == "preset" and option.choices), None)
    if preset is None:
        raise DataError(f"detector {name} has no presets to fit a judge for")
    detectors: dict[str, Proposer] = {}
    for choice in map(str, preset.choices or ()):
        detector = create_detector(spec, {"preset": choice})
        if not isinstance(detector, Proposer):
            raise DataError(f"detector {name} has no judge: it has no method propose")
        detectors[choice] = detector
    return detectors, str(preset.default)


def collect(pictures: Sequence[AnnotatedPicture], detector: Proposer, *, enlarge: float = 1) -> list[Proposals]:
    """The proposals of a detector in each picture, after the picture was enlarged; none in its ignored regions."""
    return [
        _propose(
            detector,
            _enlarged(load_image(picture.path).pixels, enlarge),
            picture.boxes[~picture.ignored] * enlarge,
            index,
            ignored=picture.boxes[picture.ignored] * enlarge,
        )
        for index, picture in enumerate(pictures)
    ]


def collect_portraits(paths: Sequence[Path], detector: Proposer) -> list[Proposals]:
    """The proposals of a detector in portraits: pictures of one face that has no annotated box.

    The face is where OpenCV's cascade finds it. Pictures that cannot be read, or without such a face, are left out.
    """
    proposals = []
    for path in paths:
        try:
            image = load_image(path).pixels
        except ImageError:
            continue
        window = find_window(image)
        if window is not None:
            x, y, side = window
            face = face_in_window(np.array([[x, y, x + side, y + side]], np.float32))
            proposals.append(_propose(detector, image, face.astype(np.float64), None))
    return proposals


def _propose(
    detector: Proposer,
    image: NDArray[np.uint8],
    faces: NDArray[np.float64],
    index: int | None,
    *,
    ignored: NDArray[np.float64] = _NONE,
) -> Proposals:
    proposed = detector.propose(image)
    proposed = proposed[~in_regions(ignored, proposed.boxes) | _near(faces, proposed.boxes)]
    return Proposals(index, (image.shape[1], image.shape[0]), proposed, appearance_features(image, proposed), faces)


def _near(faces: NDArray[np.float64], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(overlap(boxes, faces.astype(np.float32)).max(axis=1, initial=0) >= _NEAR_A_FACE)


def _enlarged(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if factor == 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)
