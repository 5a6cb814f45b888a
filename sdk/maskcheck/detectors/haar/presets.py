"""What each preset of the Haar detector does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Search:
    """One cascade run over a picture.

    Attributes:
        cascade: Name of the cascade.
        stages: Stages that a window has to pass. A whole cascade turns away faces that are masked; its first half
            proposes most of them, in the same time, and many windows that are none.
        enlarge: Factor by which the picture is enlarged first; the smallest window is 20 or 24 pixels.
        scale_factor: Ratio of successive window sizes.
        mirrored: The picture is mirrored first; the profile cascade knows faces that look to the left only.
    """

    cascade: str
    stages: int
    enlarge: float
    scale_factor: float
    mirrored: bool = False


PRESETS: dict[str, tuple[Search, ...]] = {
    "fast": (Search("frontal_default", stages=12, enlarge=1, scale_factor=1.2),),
    "balanced": (Search("frontal_default", stages=11, enlarge=1.5, scale_factor=1.25),),
    "thorough": (
        Search("frontal_default", stages=11, enlarge=2, scale_factor=1.1),
        Search("profile", stages=14, enlarge=1, scale_factor=1.1),
        Search("profile", stages=14, enlarge=1, scale_factor=1.1, mirrored=True),
    ),
}
DEFAULT_PRESET = "balanced"

DEFAULT_MIN_SCORE = 0.85
"""Score of the judge from which a user sees a face."""
