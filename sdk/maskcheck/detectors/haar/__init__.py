"""The detectors that need no model file: OpenCV's Haar cascades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskcheck.detectors.api import Detector
from maskcheck.detectors.haar.presets import DEFAULT_PRESET, PRESETS
from maskcheck.detectors.spec import DetectorSpec
from maskcheck.stages import StageOption

_MIN_SIZE = "side of the smallest face sought, in pixels; 0 for the smallest possible"


def haar_specs() -> Sequence[DetectorSpec]:
    """What is registered of the Haar detectors."""
    return [
        DetectorSpec(
            name="haar",
            summary="OpenCV's Haar cascades, cut short and judged by appearance; needs no model file",
            factory=_create,
            options=(
                StageOption("preset", str, DEFAULT_PRESET, "speed or thoroughness", choices=tuple(PRESETS)),
                StageOption(
                    "enlarge",
                    float,
                    None,
                    "enlarge the picture by this factor first, to find smaller faces [default: the preset's]",
                    minimum=0.1,
                    maximum=8,
                ),
                StageOption(
                    "scale_factor",
                    float,
                    None,
                    "ratio of successive window sizes; nearer to 1 is slower and finds more [default: the preset's]",
                    minimum=1.01,
                    maximum=2,
                ),
                StageOption("min_size", int, 0, _MIN_SIZE, minimum=0, maximum=100_000),
                StageOption("equalize", bool, False, "equalise the contrast of each region of the picture first"),
            ),
            api_version=2,
        ),
        DetectorSpec(
            name="haar-plain",
            summary="OpenCV's own detectMultiScale, as most programs call it; to compare with",
            factory=_create_plain,
            options=(
                StageOption(
                    "cascade",
                    str,
                    "frontal_default",
                    "which of OpenCV's cascades",
                    choices=("frontal_default", "frontal_alt2", "frontal_alt"),
                ),
                StageOption(
                    "scale_factor",
                    float,
                    1.1,
                    "ratio of successive window sizes; nearer to 1 is slower and finds more",
                    minimum=1.01,
                    maximum=2,
                ),
                StageOption(
                    "min_neighbors",
                    int,
                    4,
                    "overlapping hits that make a face; fewer finds more, and more that are none",
                    minimum=0,
                    maximum=1000,
                ),
                StageOption("min_size", int, 0, _MIN_SIZE, minimum=0, maximum=100_000),
                StageOption(
                    "upscale",
                    float,
                    1.0,
                    "enlarge the picture by this factor first, to find smaller faces",
                    minimum=1,
                    maximum=8,
                ),
            ),
            api_version=2,
        ),
    ]


# OpenCV is imported when a detector is made, so that detectors can be listed where it does not load.


def _create(**options: Any) -> Detector:
    from maskcheck.detectors.haar.detector import HaarDetector

    return HaarDetector(**options)


def _create_plain(**options: Any) -> Detector:
    from maskcheck.detectors.haar.plain import PlainHaarDetector

    return PlainHaarDetector(**options)
