"""The type of a box."""

from __future__ import annotations

from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in pixels: the top left corner, and the bottom right one."""
