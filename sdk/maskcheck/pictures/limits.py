"""Limits on the cost of decoding a picture. They are checked against its file and header, before it is decoded.

The size of a file does not show what decoding costs: one megabyte may hold a hundred megapixels or ten thousand scans.
:class:`MaskPipeline` and ``maskcheck detect`` take these limits as options.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class DecodingLimits:
    """The most that a picture may have. A picture above a limit raises :class:`ImageTooLarge` and is not decoded.

    Attributes:
        max_pixels: Width times height. JPEG 2000 needs several times the memory of other formats: there, 2 pixels for
            each pixel of a tile and 100 for each code block are counted, where that is more.
        max_side: The longer side, in pixels. The default is the most that JPEG allows.
        max_file_bytes: Size of the encoded file.
        max_scans: Scans of a progressive JPEG. The decoder goes over the whole picture once for each scan, so pictures
            of more than a fifth of `max_pixels` may have proportionally fewer: a fifth of `max_scans` at `max_pixels`.
        max_frames: Frames or pages that are counted. A file with more is decoded; its frames are not counted further.

    Raises:
        ValueError: A limit is not a whole number of at least 1.
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
        """The most scans that a progressive JPEG with this many pixels may have."""
        return max(1, min(self.max_scans, self.max_scans * self.max_pixels // (5 * max(pixels, 1))))


DEFAULT_LIMITS = DecodingLimits()
"""The limits that hold unless the caller sets others."""
