"""When a change is an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

IncorrectlyWorn: TypeAlias = Literal["removed", "worn", "ignored"]
Anchor: TypeAlias = Literal["centre", "bottom"]


@dataclass(frozen=True)
class WatchSettings:
    """When a change is an event. Times are in seconds of the source's clock.

    Attributes:
        enter_after: How long a person must be in view, in two sights at least, to have entered.
        leave_after: How long a person must be out of view, in two frames at least, to have left.
        hidden_after: The same for a person last seen away from the edges of the picture, who may only be hidden behind
            another; `leave_after`, if that is longer.
        mask_after: How long a label must hold to be a change.
        zone_after: How long a person must be inside a zone, or outside, to have gone in or out.
        line_margin: How far beyond a line a person must be to have crossed it, as a share of the face's longer side:
            one who stands on a line is not counted again and again.
        min_confidence: A face of lower confidence says nothing of the mask, in [0, 1].
        incorrectly_worn: What ``mask_worn_incorrectly`` counts as. ``removed``: as without a mask, so that a mask
            pulled below the nose is :class:`MaskRemoved`; ``worn``: as with a mask; ``ignored``: it says nothing.
        anchor: The point of a face's box that is in a zone or crosses a line: its ``centre``, or the middle of its
            ``bottom`` edge, the chin.
        crop_margin: Surroundings of the face in a crop, on each side, as a share of the longer side of its box.
        crop_side: Longest side of a crop, in pixels; a larger one is shrunk, so that memory is bounded.

    Raises:
        ValueError: A value is out of its range.
    """

    enter_after: float = 0.3
    leave_after: float = 1.0
    hidden_after: float = 2.0
    mask_after: float = 0.3
    zone_after: float = 0.3
    line_margin: float = 0.15
    min_confidence: float = 0.6
    incorrectly_worn: IncorrectlyWorn = "removed"
    anchor: Anchor = "centre"
    crop_margin: float = 0.4
    crop_side: int = 400

    def __post_init__(self) -> None:
        times = ("enter_after", "leave_after", "hidden_after", "mask_after", "zone_after")
        for name in (*times, "line_margin", "crop_margin"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: expected a number from 0, got {value!r}")
        if not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence: expected a number from 0 to 1, got {self.min_confidence!r}")
        if self.incorrectly_worn not in ("removed", "worn", "ignored"):
            raise ValueError(f"incorrectly_worn: expected removed, worn or ignored, got {self.incorrectly_worn!r}")
        if self.anchor not in ("centre", "bottom"):
            raise ValueError(f"anchor: expected centre or bottom, got {self.anchor!r}")
        if isinstance(self.crop_side, bool) or not isinstance(self.crop_side, int) or self.crop_side < 1:
            raise ValueError(f"crop_side: expected a whole number from 1, got {self.crop_side!r}")
