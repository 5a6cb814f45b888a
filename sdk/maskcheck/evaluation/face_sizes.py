"""Sizes of faces that reports tell apart: by the shorter side of the box, in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

EDGES = (8, 12, 24, 48, 96)
"""Pixels between one class of sizes and the next."""

LARGE_FROM = 24
"""Pixels from which a face counts as large: near enough for its mask to be seen."""

ALL, LARGE = "all", f">= {LARGE_FROM} px"

CLASSES: Mapping[str, tuple[float, float]] = {
    f"< {EDGES[0]} px": (0, EDGES[0]),
    **{f"{low} to {high} px": (low, high) for low, high in pairwise(EDGES)},
    f">= {EDGES[-1]} px": (EDGES[-1], math.inf),
}
"""The classes, small ones first: a face belongs to the class with ``low <= side < high``."""

SIZES: Mapping[str, tuple[float, float]] = {ALL: (0, math.inf), LARGE: (LARGE_FROM, math.inf), **CLASSES}
"""All faces, large faces, and the classes: the ranges that are scored."""
