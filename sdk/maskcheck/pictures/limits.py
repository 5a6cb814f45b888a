"""What a picture may cost: the limits that its file and header are held to before it is decoded.

Decoding costs memory and time that a file's size does not show: a file of a megabyte may hold a hundred megapixels, or
ten thousand scans. All limits of the SDK are here; :class:`MaskPipeline` and ``maskcheck detect`` take them as options.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class DecodingLimits:
    """Most that a picture may have; one that has more is refused with :class:`ImageTooLarge` before it is decoded.

    Attributes:
        max_pixels: Width times height. A JPEG 2000, which costs several times as much, counts as 2 pixels for each of a
            tile and as 100 for each of its code blocks, if that is more.
        max_side: Width and height, in pixels, each; what JPEG allows, by default.
        max_file_bytes: Size of the encoded file.
        max_scans: Scans of a progressive JPEG, each of which goes over the whole picture. Pictures of more than a fifth
            of `max_pixels` may have fewer in proportion, and a fifth of them at the most pixels.
        max_frames: Frames or pages that are counted; a file with more is not searched further, and its first is read.

    Raises:
        ValueError: A limit below 1.
    """

    max_pixels: int = 100_000_000
    max_side: int = 65_500
    max_file_bytes: int = 500_000_000
    max_scans: int = 100
    max_frames: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{field.name}: expected a whole number from 1, got {value!r}")

    def scans_of(self, pixels: int) -> int:
        """Most scans that a progressive JPEG of so many pixels may have."""
        return max(1, min(self.max_scans, self.max_scans * self.max_pixels // (5 * max(pixels, 1))))


DEFAULT_LIMITS = DecodingLimits()
"""The limits unless the caller sets others."""
