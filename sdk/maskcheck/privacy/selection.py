"""Which faces are blurred."""

from __future__ import annotations

from typing import Literal, TypeAlias

from maskcheck.pictures.box import Box
from maskcheck.results import FrameResult

Blur: TypeAlias = Literal["all", "without_mask", "with_mask"]
"""Which faces are blurred: every face, those without a mask, or those with one."""

SURE = 0.8
"""Least confidence of the label that spares a face."""

# The only label whose faces stay clear. So a mask that is worn incorrectly, a label of another model and a face that
# nobody is sure of are blurred: a face too many is a blemish, a face too few cannot be taken back.
_SPARED: dict[Blur, str | None] = {"all": None, "without_mask": "with_mask", "with_mask": "without_mask"}


def must_blur(label: str, confidence: float, blur: Blur, *, sure: float = SURE) -> bool:
    """Whether a face is blurred.

    A face is left clear only if it surely has the opposite label: with ``without_mask``, if it surely wears a mask;
    with ``with_mask``, if it surely wears none. All others are blurred, also a mask that is worn incorrectly.

    Args:
        label: The face's label.
        confidence: Probability of that label, in [0, 1].
        blur: Which faces are blurred.
        sure: Least confidence of a face that is left clear.

    Raises:
        ValueError: `blur` is none of the three.
    """
    if blur not in _SPARED:
        raise ValueError(f"blur: expected {' or '.join(_SPARED)}, got {blur!r}")
    return label != _SPARED[blur] or confidence < sure


def boxes_to_blur(result: FrameResult, blur: Blur, *, sure: float = SURE) -> list[Box]:
    """The boxes of the faces that :func:`must_blur` wants blurred: ``x1, y1, x2, y2`` in pixels of the upright picture.

    For a single picture. In a video, :class:`BlurPlan` also covers the frames in which a face is missed.

    Args:
        result: With predicted faces, too, if a tracker made it.
        blur: Which faces are blurred.
        sure: Least confidence of a face that is left clear.
    """
    return [face.box for face in result if must_blur(face.label, face.confidence, blur, sure=sure)]
